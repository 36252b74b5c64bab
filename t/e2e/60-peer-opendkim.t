#!/bin/bash
# opendkim alone: the same outcome as without sekisho in between.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"
compare_alone opendkim
