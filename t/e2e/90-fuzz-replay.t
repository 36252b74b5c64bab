#!/bin/bash
# Every fuzz target over its corpus: nothing found once is found again.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

replay() { # PROGRAM CORPUS: the replayer takes folders, libFuzzer needs -runs
	local status=0
	case $(grep -c LLVMFuzzerInitialize "$1") in
	0) timeout -k 5 120 "$1" "$2" >"$T/out" 2>&1 || status=$? ;;
	*) timeout -k 5 120 "$1" -runs=0 "$2" >"$T/out" 2>&1 || status=$? ;;
	esac
	[ "$status" = 0 ] || diag "$(tail -n 20 "$T/out")"
	return "$status"
}

some=0
for source in "$SRCDIR"/t/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	corpus=$SRCDIR/t/fuzz/corpus/${name#fuzz_}
	files=$(find "$corpus" -type f 2>/dev/null | wc -l)
	ok "$name has a corpus ($files files)" test "$files" -gt 0
	ok "$name takes its corpus" replay "$BUILDDIR/t/fuzz/$name" "$corpus"
	some=1
done
is "there are fuzz targets" "$some" 1
done_testing
