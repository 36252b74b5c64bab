#!/bin/bash
# limit.sh SCRIPT - runs one TAP script, bounded in time
#
# A script that hangs must not hang `make check`.  The script gets TERM first
# so that its guard can stop what it has started.  The last line of its log
# says how long it took.
TIMEFORMAT='# took %R s, cpu %U + %S s'
{ time timeout -k 30 "${E2E_TIMEOUT:-600}" "$@" 2>&3; } 3>&2 2>&1
