#!/bin/bash
# Conditions, tables and rules in settings files: what is wrong is told with
# file, line and column, and with a hint; what is good may stand in any order.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

CTL=${SEKISHOCTL:-$BUILDDIR/sekishoctl}
[ -x "$SEKISHOD" ] || bail "no $SEKISHOD"
[ -x "$CTL" ] || bail "no $CTL"

base="[server]
listen = unix:$T/s.sock
spool_directory = $T
[milter a]
socket = unix:/a
[milter b]
socket = unix:/b"

check() { # TEXT behind the base, which has 7 lines: $out, $err, $status
	printf '%s\n%s\n' "$base" "$1" >"$T/t.conf"
	status=0
	"$SEKISHOD" -t -c "$T/t.conf" >"$T/out" 2>"$T/err" || status=$?
	out=$(cat "$T/out") err=$(sed "s|$T/||g" "$T/err")
}

wrong() { # DESCRIPTION TEXT PROBLEM: refused, and the first problem is this
	check "$2"
	is "$1" "$status: $(head -1 <<<"$err")" "1: $3"
}

good() { # DESCRIPTION TEXT
	check "$2"
	is "$1" "$status$err" 0
}

# ------------------------------------------------------------------ where it is
wrong "a fact that there is not, in a milter" \
	'when = sendr = x' \
	't.conf:8:8: "when" in [milter b]: there is no fact or condition "sendr"; is "sender" meant?'
wrong "the column is that of the line, not of the value" \
	'when     =     true and sendr' \
	't.conf:8:25: "when" in [milter b]: there is no fact or condition "sendr"; is "sender" meant?'
wrong "in a continued value the line is that of the part" \
	'when = true
   and   # a comment
   # another one

	(false or
   sendr)' \
	't.conf:13:4: "when" in [milter b]: there is no fact or condition "sendr"; is "sender" meant?'
wrong "in a condition" '[condition c]
is = helo in nix' \
	't.conf:9:14: "is" in [condition c]: there is no table "nix"'
wrong "a condition that nobody uses is checked all the same" \
	'[condition c]
is = size > 10X' \
	't.conf:9:13: "is" in [condition c]: "10X" is not a size, write a size such as 500K, 10M or 1G'
check '[condition c]
is = d
[condition d]
is = c
[milter x]
socket = unix:/x
when = c'
is "a circle is told once for each condition in it" \
	"$(grep -c 'is defined by itself' <<<"$err")" 2
check '[condition c]
is = nonsense
[condition d]
is = c
[milter x]
socket = unix:/x
when = c and d
[rule r]
when = d
action = accept'
is "a wrong condition is told once, not by all who use it" \
	"$(grep -c nonsense <<<"$err")" 1
wrong "a condition may not be called like a fact" '[condition sender]
is = true' \
	't.conf:9:6: condition "sender": this is the name of a fact or a word of the language'
wrong "nor like a word" '[condition not]
is = true' \
	't.conf:9:6: condition "not": this is the name of a fact or a word of the language'
wrong "a regex" 'when = helo ~ /(/' \
	't.conf:8:17: "when" in [milter b]: regex: missing closing parenthesis'
wrong "a type" 'when = recipient > 5' \
	't.conf:8:18: "when" in [milter b]: recipient is a mail address, which is not more or less than another'

# ------------------------------------------------------------------- milters
good "a milter above may be asked" 'when = milter(a) = accept'
wrong "itself not" 'when = milter(b) = accept' \
	't.conf:8:15: "when" in [milter b]: milter "b" does not stand above; only the word of those above is known'
wrong "and in a condition not either, when it is used above" 'when = c
[condition c]
is = milter(b) = accept' \
	't.conf:10:13: "is" in [condition c], named by "when" in [milter b]: milter "b" does not stand above; only the word of those above is known'
good "a rule may ask all" '[rule r]
when = milter(b) = accept
action = log b accepted'
wrong "recipients = own without a look at them" 'recipients = own
when = helo = x' \
	't.conf:8: recipients = own in [milter b]: "when" does not look at recipient'
wrong "recipients = all without a condition" 'recipients = all' \
	't.conf:8: recipients = all in [milter b]: "when" does not look at recipient'
wrong "mixed = defer without own" 'mixed = defer
when = recipient = a@example.org' \
	't.conf:8: mixed = defer in [milter b]: needs recipients = own'
good "mixed = defer with own" 'mixed = defer
recipients = own
when = recipient = a@example.org'

# -------------------------------------------------------------------- tables
printf 'example.org\n.example.net\n' >"$T/words"
printf '192.0.2.0/24\n2001:db8::/32\n' >"$T/nets"
printf '192.0.2.1/24\nnonsense\n' >"$T/badnets"
printf '/^spam/i yes\n' >"$T/regexes"
good "tables in files and inline" "when = sender_domain in words and
  client_addr in nets and not header(Subject) in regexes and helo in few
[table words]
source = list:$T/words
[table nets]
source = cidr:$T/nets
[table regexes]
source = regexp:$T/regexes
[table few]
source = inline: localhost, .local"
wrong "a file that is not there" "[table x]
source = list:$T/none" \
	't.conf:9:10: table "x": none: could not be opened: No such file or directory'
check "[table x]
source = cidr:$T/badnets
when = true"
like "a wrong line in a file is told there" "$err" '^badnets:1: table "x": '
like "and the next one" "$err" '^badnets:2: table "x": '
check "when = client_addr in x
[table x]
source = cidr:$T/badnets"
is "who uses it does not repeat it" "$(grep -c 't.conf' <<<"$err")" 0
wrong "no source at all" '[table x]
source = nowhere:x' \
	't.conf:9:10: table "x": "nowhere:x" is no source of a table; write inline:, list:/path, cidr:/path or regexp:/path'
wrong "networks are not for names" "when = helo in nets
[table nets]
source = cidr:$T/nets" \
	't.conf:8:16: "when" in [milter b]: table "nets" has networks only, and helo is a domain name'

# --------------------------------------------------------------------- rules
wrong "a rule without anything" '[rule r]' \
	't.conf:8: rule "r" has no "action"'
wrong "an action that there is not" '[rule r]
when = true
action = log one
action = rejct' \
	't.conf:11:10: "action" in [rule r]: "rejct" is no action: accept, reject, tempfail, discard, quarantine, skip, macro, header, score, log'
wrong "two verdicts" '[rule r]
when = true
action = accept
action = reject' \
	't.conf:11:10: "action" in [rule r]: reject after accept: a rule has one verdict'
wrong "on_unknown is an action, too" '[rule r]
when = true
action = accept
on_unknown = maybe' \
	't.conf:11:14: "on_unknown" in [rule r]: "maybe" is no action: accept, reject, tempfail, discard, quarantine, skip, macro, header, score, log'
check '[rule r]
when = true
action = accept'
for i in $(seq 33); do echo "action = log $i"; done >>"$T/t.conf"
status=0
"$SEKISHOD" -t -c "$T/t.conf" >/dev/null 2>"$T/err" || status=$?
is "so many actions are a mistake" "$status/$(grep -c \
	'more than 32 of them' "$T/err")" 1/2
wrong "a skip of nobody" '[rule r]
when = true
action = skip c' \
	't.conf:10:15: "action" in [rule r]: there is no milter "c"'

# ------------------------------------------------------------------ built in
good "what is built in needs no section" 'when = s25r and remote_network and
  not stress and unauthenticated and not trust'
wrong "but for a table that only the administrator knows" \
	'when = restrict_accounts' \
	't.conf:8:8: "when" in [milter b]: in the built-in condition "restrict_accounts": there is no table "restricted_accounts"'
good "with it, all is well" 'when = restrict_accounts
recipients = all
[table restricted_accounts]
source = inline: a@example.org'
good "rules by their name" '[rule trust]
[rule stress]
[rule sendmail_compatible]'
"$CTL" config -c "$T/t.conf" >"$T/printed"
like "their keys are printed" "$(cat "$T/printed")" \
	'^action = macro \{trusted_domain\}=yes$'
good "a part of one may be written" '[rule stress]
when = sessions > 100'
"$CTL" config -c "$T/t.conf" >"$T/printed"
is "and the rest is built in" \
	"$(sed -n '/^\[rule stress\]/,$p' "$T/printed" | tr '\n' '|')" \
	'[rule stress]|action = macro {stress}=yes|on_unknown =|when = sessions > 100|'

# ------------------------------------------------------------ long and printed
long=$(for i in $(seq 400); do printf 'sender = a%d@example.org or\n  ' "$i"; done)
good "a long expression" "when = ${long}helo ~ /x; # y/"
"$CTL" config -c "$T/t.conf" >"$T/printed"
status=0
"$CTL" config -c "$T/printed" >"$T/again" || status=$?
is "is printed so that it can be read again" \
	"$status/$(cmp "$T/printed" "$T/again" && echo same)" 0/same
is "on lines that fit" "$(awk 'length > 1000' "$T/printed" | wc -l)" 0
printf '[milter c]\nsocket = unix:/c\nwhen = late_condition\n' >"$T/one.inc"
printf '[condition late_condition]\nis = sender in late_table\n' >"$T/two.inc"
printf '[table late_table]\nsource = inline: x\n' >"$T/three.inc"
good "sections name each other in any order, over many files" \
	'include = *.inc'
printf '[condition late_condition]\nis = sender inn late_table\n' >"$T/two.inc"
check 'include = *.inc'
like "a problem is told with its own file" "$err" '^two\.inc:2:13: '
done_testing
