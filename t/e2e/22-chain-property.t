#!/bin/bash
# Random children, random sessions: the MTA and every child see what a plain
# row of filters would have shown them.  t/prop/README.md tells how.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

prop=${CHAIN_PROP:-$BUILDDIR/t/prop/chain_prop}
need_programs "$SEKISHOD" "$prop"
# It speaks TAP itself and has a directory of its own.
"$prop"
status=$?
trap - EXIT
rm -rf "$T"
exit "$status"
