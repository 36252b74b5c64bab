#!/bin/bash
# criterion.sh PROGRAM - runs one Criterion program and speaks TAP
#
# Criterion's own "--tap=-" writes to stderr, so it writes to a file that is
# shown afterwards.  A program with no tests passes in Criterion; not here.
# A sanitizer's report fails the program even when each test passed.
set -u
program=$1
tap=$(mktemp) || exit 99
trap 'rm -f "$tap" "$tap.err"' EXIT

TIMEFORMAT='# took %R s, cpu %U + %S s'
time timeout -k 10 "${UNIT_TIMEOUT:-600}" "$program" --tap="$tap" \
	>"$tap.err" 2>&1
status=$?

sed 's/^/# /' "$tap.err"
if ! grep -q '^ok ' "$tap"; then
	echo "Bail out! $program ran no test (exit status $status)"
	exit 1
fi
if grep -Eq 'LeakSanitizer|AddressSanitizer|runtime error:' "$tap.err"; then
	echo "Bail out! $program: a sanitizer has something to say"
	exit 1
fi
cat "$tap"
exit "$status"
