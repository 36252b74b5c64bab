# the supervisor: knows shared and worker/worker.h

EXTRA_DIST +=
