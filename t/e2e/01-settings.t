#!/bin/bash
# Settings as an administrator meets them: sekishod -t and -T, the sample
# file, and a manual that knows every key with its default.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

MANUAL=$SRCDIR/doc/sekisho.conf.5
SAMPLE=$SRCDIR/etc/sekisho.conf
[ -x "$SEKISHOD" ] || bail "no $SEKISHOD"

minimal='[server]
listen = unix:'$T'/s.sock
spool_directory = '$T'
[milter m]
socket = unix:/m'

check() { # OPTION TEXT: sekishod over these settings; $out, $err, $status
	printf '%s\n' "$2" >"$T/t.conf"
	status=0
	"$SEKISHOD" "$1" -c "$T/t.conf" >"$T/out" 2>"$T/err" || status=$?
	out=$(cat "$T/out") err=$(cat "$T/err")
}

# ------------------------------------------------------------------ -t and -T
check -t "$minimal"
is "-t takes good settings" "$status" 0
like "-t says ok" "$out" '^ok$'

check -t "$minimal
sokcet = unix:/x
[server]
workers_min = 12abc"
is "-t refuses bad ones with status 1" "$status" 1
like "it names the key, the line and what was meant" "$err" \
	't\.conf:6: unknown key "sokcet" in \[milter m\]: did you mean "socket"\?$'
like "and the next problem, too" "$err" \
	't\.conf:8: "12abc" for "workers_min" in \[server\]: not a whole number$'
like "and counts them" "$err" '2 problems'

check -T "$minimal"
is "-T prints settings" "$status" 0
cp "$T/out" "$T/printed"
check -T "$(cat "$T/printed")"
is "what it prints are settings that print the same" "$out" \
	"$(cat "$T/printed")"

status=0
err=$("$SEKISHOD" -t -c "$T" 2>&1) || status=$?
is "a folder is refused with status 1" "$status" 1
like "it says so" "$err" 'this is a folder and no file'
status=0
err=$("$SEKISHOD" -t -c "$T/none.conf" 2>&1) || status=$?
is "a missing file is refused with status 1" "$status" 1
like "it is named" "$err" 'none\.conf: could not open the file: No such file'

# Two lists, taken from what the program prints and from the manual.
keys_printed() { # [server] or [milter: the keys of that section
	awk -v s="$1" '/^\[/ { on = index($0, s) == 1 }
		on && /^[a-z_]+ =/ { print $1 }' "$T/printed"
}
keys_in_manual() { # SERVER or MILTERS: the keys of that .Sh
	awk -v s="$1" '/^\.Sh/ { on = $2 == s }
		on && /^\.It Ic / { print $3 }' "$MANUAL"
}
is "the manual knows the keys of [server], in order" \
	"$(keys_in_manual SERVER)" "$(keys_printed '[server]')"
is "and those of [milter NAME]" \
	"$(keys_in_manual MILTERS)" "$(keys_printed '[milter')"
is "there are as many as there were" \
	"$(grep -c '^[a-z_]* =' "$T/printed")" 54

# The sample file is compared with the table by a unit test.
defaults_of_sample() {
	sed -n -e '/^#include/d' -e 's/^#\([a-z_]*\) =/\1 =/' \
		-e 's/^\(user\|status\|control\) = .*/\1 =/' -e 's/^socket = .*/socket required/' \
		-e '/^[a-z_]* =/p' -e '/^socket /p' "$SAMPLE" |
		sed 's/ *$//; s/=$/= empty/; s/ = / /'
}
defaults_of_manual() {
	awk '/^\.It Ic / { key = $3 }
		/^\.Pq / && key { sub(/^\.Pq (default )?(No )?/, "")
			sub(/ , at start$/, ""); print key " " $0; key = "" }' \
		"$MANUAL"
}
is "the manual has the defaults of the sample" "$(defaults_of_manual)" \
	"$(defaults_of_sample)"

starts_in_manual() {
	awk '/^\.It Ic / { key = $3 }
		/^\.Pq / && / at start$/ && key { print key }
		/^\.Pq / { key = "" }' "$MANUAL"
}
starts_in_sample() {
	sed -n '/^# Changes only when/ { n; s/^#*\([a-z_]*\) =.*/\1/p; }' \
		"$SAMPLE"
}
is "and knows which ones need a new start" "$(starts_in_manual)" \
	"$(starts_in_sample)"

# What somebody copies from the manual has to work.
example() {
	awk '/^\[server\]$/ { on = 1 } /^\.Ed/ { on = 0 } on' "$MANUAL" |
		grep -v '^user = '
}
check -T "$(example)"
is "the example in the manual is good" "$err/$status" /0
is "it has three milters" "$(grep -c '^\[milter ' "$T/out")" 3

if command -v mandoc >/dev/null; then
	is "the manual is clean" "$(mandoc -Tlint -W warning "$MANUAL" 2>&1 |
		grep -v 'outdated mandoc.db')" ''
else
	skip 1 "mandoc is not installed"
fi

# The byte map is checked by the compiler; here, that it is written down.
asserted() { # the sizes and offsets that board_layout.h asserts
	tr -d '\n' <"$SRCDIR/shared/board_layout.h" | grep -oE \
		'_Static_assert\((sizeof|offsetof)\([^)]*\) == [0-9]+' |
		sed -E 's/.*\(struct ([a-z_]+)(, ([a-z_]+))?\) == ([0-9]+)/\1 \3 \4/'
}
mapped() { # STRUCT MEMBER NUMBER: doc/board.md has that line in its table
	awk -v s="$1" -v m="$2" -v n="$3" '/^## / { on = $0 ~ "`" s "`" }
		on && m == "" && $0 ~ "^Size: " n " bytes" { found = 1 }
		on && m != "" && $0 ~ "^\\| *" n " *\\|.*`" m "`" { found = 1 }
		END { exit !found }' "$SRCDIR/doc/board.md"
}
missing=$(asserted | while read -r struct a b; do
	[ -n "$b" ] || { b=$a a=; }
	mapped "$struct" "$a" "$b" || echo "$struct $a $b"
done)
is "doc/board.md has every size and offset that is asserted" "$missing" ''
is "and there are some" "$(($(asserted | wc -l) > 20))" 1
done_testing
