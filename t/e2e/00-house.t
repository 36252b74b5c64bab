#!/bin/bash
# The plan of the house, as far as a program can see whether it is kept.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
cd "$SRCDIR" || bail "no $SRCDIR"
FOLDERS="shared worker server tool"

# Prints the file without comments and without what stands in strings.
bare() {
	perl -0777 -pe 's{/\*.*?\*/}{"\n" x ($& =~ tr/\n//)}gse;
		s{"(\\.|[^"\\\n])*"}{""}g' "$1"
}

nothing() { # DESCRIPTION TEXT: the text, a list of complaints, is empty
	local what=$1 text=$2
	if [ -z "$text" ]; then
		result 0 "$what"
	else
		result 1 "$what" || diag "$text"
	fi
}

# ------------------------------------------------------------------- arrows
# Own headers carry their folder, so a wrong arrow is visible in its line.
wrong_arrows() { # FOLDER ALLOWED-REGEX
	grep -nE '^#[[:space:]]*include[[:space:]]+"' "$1"/*.[ch] |
		grep -vE "include[[:space:]]+\"($2|config\.h)" || true
}
nothing "shared knows nobody" "$(wrong_arrows shared 'shared/')"
nothing "worker knows shared" "$(wrong_arrows worker '(shared|worker)/')"
nothing "server knows shared and the worker's one entry" \
	"$(wrong_arrows server '(shared|server)/|worker/worker\.h')"
nothing "tool knows shared" "$(wrong_arrows tool '(shared|tool)/')"

doors() { # HEADER-REGEX FILE...: the files that include it and may not
	local header=$1
	shift
	grep -lE "^#[[:space:]]*include[[:space:]]+<$header" */*.[ch] |
		grep -vxF "$(printf '%s\n' "$@")" || true
}
nothing "pcre2 has one door" "$(doors 'pcre2' shared/cond_match.c)"
nothing "iniparser has one door" "$(doors '(iniparser|dictionary)' \
	shared/conf_read.c)"
nothing "libsystemd has one door" "$(doors 'systemd/' server/notify.c \
	server/listen.c)"
nothing "libmilter is linked nowhere" "$(doors 'libmilter/' bench/null_milter.c)"

# ------------------------------------------------------------------ headers
headers_alone() {
	local h
	for h in $(printf '%s/*.h ' $FOLDERS); do
		[ -e "$h" ] || continue
		printf '#include "%s"\n' "$h" | ${CC:-cc} -std=c17 -D_GNU_SOURCE \
			-I. -Wall -Wextra -Werror -fsyntax-only -x c - \
			2>>"$T/headers.err" || echo "$h"
	done
}
nothing "every header compiles alone" "$(headers_alone)"
diag "$(head -20 "$T/headers.err")"

headers_told() { # what it is, in the first comment, above the guard
	local h name
	for h in $(printf '%s/*.h ' $FOLDERS); do
		[ -e "$h" ] || continue
		name=$(basename "$h" .h)
		head -2 "$h" | tr -d '\n' |
			grep -qE "^/\* \* $name(\.h)?,? (- |.* - )" || echo "$h"
	done
}
nothing "every header begins with what it is" "$(headers_told)"

# -------------------------------------------------------------------- calls
banned_calls() {
	local f words
	words=$(sed -n 's/^\([a-z_]\+\).*/\1/p' "$SRCDIR/t/lib/banned.txt" |
		paste -sd'|')
	for f in */*.[ch] t/unit/*/*.[ch] t/fuzz/*.c t/prop/*.[ch]; do
		[ -e "$f" ] || continue
		bare "$f" | grep -nE "(^|[^A-Za-z0-9_])($words)[[:space:]]*\(" |
			sed "s|^|$f:|"
	done
}
nothing "no banned call" "$(banned_calls)"

ends_process() { # exit() is for main, worker, and processes aside
	local f
	for f in $(ls shared/*.c worker/*.c server/*.c 2>/dev/null |
		grep -vE '^(server/(aside|background|main|probe|spawn|supervisor)|worker/worker)\.c'); do
		bare "$f" | grep -nE '(^|[^A-Za-z0-9_])_?exit[[:space:]]*\(' |
			sed "s|^|$f:|"
	done
}
nothing "only main, worker and processes aside end one" "$(ends_process)"

# -------------------------------------------------------------------- sizes
long_functions() { # a row longer than a screen and a half is a table
	local f
	for f in $(printf '%s/*.c ' $FOLDERS); do
		[ -e "$f" ] || continue
		awk -v f="$f" '/^\{$/ { start = NR } /^}$/ {
			if (start && NR - start > 80)
				print f ":" start ": " NR - start " lines"
			start = 0 }' "$f"
	done
}
nothing "no function is longer than 80 lines" "$(long_functions)"

wide_lines() {
	local f
	for f in $(printf '%s/*.[ch] ' $FOLDERS); do
		[ -e "$f" ] || continue
		expand "$f" | awk -v f="$f" '/clang-format off/ { fenced = 1 }
			/clang-format on/ { fenced = 0 }
			length($0) > 90 && !fenced && !/"/ { print f ":" NR }'
	done
}
nothing "lines fit a terminal (strings stay whole)" "$(wide_lines)"

# ------------------------------------------------------------ it stands alone
# The brackets keep this file from finding itself.
machine_paths() {
	grep -rnIE '/wor[k]/|\.\./share[d]/(design|house|milter-|bench)' \
		--include='*.[ch15-8]' --include='*.md' --include='*.t' \
		--include='*.sh' --include='*.am' --include='*.mk' \
		--include='*.ac' --include='*.conf' . 2>/dev/null |
		grep -v '^\./build' | head -10 || true
	grep -nE '/wor[k]/|/tm[p]/w/' script/* .ci/* README.md INSTALL NEWS \
		2>/dev/null || true
}
nothing "no path of a machine" "$(machine_paths)"

unlisted() { # a source that is there and that nobody builds
	local f
	for f in $(printf '%s/*.[ch] ' $FOLDERS) t/unit/*/*.c t/e2e/*.t; do
		[ -e "$f" ] || continue
		cat ./*/local.mk | grep -qE "(^|[[:space:]])$f( |\$)" || echo "$f"
	done
}
nothing "every file is on its folder's list" "$(unlisted)"

without_readme() {
	local d
	for d in $FOLDERS t; do [ -e "$d/README.md" ] || echo "$d"; done
}
nothing "every folder says what is in it" "$(without_readme)"

# What a README names is there: `folder/file.c`, [text](file).
dead_names() {
	local f name
	for f in README.md ./*/README.md; do
		grep -oE '`(shared|worker|server|tool|t|script)/[a-z0-9_./-]+\.(c|h|sh|md)`' \
			"$f" | tr -d '`' | while read -r name; do
			[ -e "$name" ] || echo "$f: $name"
		done
		grep -oE '\]\([A-Za-z0-9_./-]+\)' "$f" | tr -d '])(' |
			while read -r name; do
				[ -e "$(dirname "$f")/$name" ] || echo "$f: $name"
			done
	done
}
nothing "what a README names is there" "$(dead_names)"

broken_scripts() {
	local f
	for f in script/* .ci/run t/lib/*.sh t/e2e/*.t t/peers/*.sh; do
		bash -n "$f" 2>&1
	done
}
nothing "every script parses" "$(broken_scripts)"

# ------------------------------------------------------------------- manuals
if command -v mandoc >/dev/null; then
	nothing "the manual pages are clean" \
		"$(mandoc -Tlint -W warning doc/*.[1-8] 2>&1)"
else
	skip 1 "no mandoc"
fi

manual_of() { # PROGRAM: every program has a page
	ls doc/"$1".[1-8] >/dev/null 2>&1
}
for p in sekishod sekisho-mta sekisho-milter sekisho.conf; do
	ok "there is a manual page for $p" manual_of "$p"
done

# The table is the one place where a parameter is declared; the sample is
# printed from it, the manual is written by hand.
sample_keys() {
	sed -nE 's/^#?([a-z_]+) =.*/\1/p' etc/sekisho.conf | sort -u
}
manual_keys() {
	sed -nE 's/^\.It (Ic|Cm|Va|Li|Fl|Sy) ([a-z_]+).*/\2/p' doc/sekisho.conf.5 |
		sort -u
}
is "the sample knows some parameters" \
	"$([ "$(sample_keys | wc -l)" -ge 30 ] && echo yes)" yes
nothing "every parameter of the sample is in the manual" \
	"$(comm -23 <(sample_keys) <(manual_keys))"
done_testing
