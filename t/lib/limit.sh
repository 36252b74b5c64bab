#!/bin/sh
# limit.sh SCRIPT - runs one TAP script, bounded in time
#
# A script that hangs must not hang `make check`.  The script gets TERM first
# so that its guard can stop what it has started.
exec timeout -k 30 "${E2E_TIMEOUT:-300}" "$@"
