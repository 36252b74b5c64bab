# what plays an MTA, what plays a milter: knows shared

EXTRA_DIST +=
