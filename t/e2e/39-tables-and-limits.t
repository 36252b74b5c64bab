#!/bin/bash
# Tables that change while the daemon runs: the new version without a reload, a
# broken one never; and what a sender or a careless regex may cost at most.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs
start_child c 'at eom do addheader "X-Seen" "1"'
write() { # FILE: standard input takes its place in one step
	cat >"$1.new" && mv "$1.new" "$1"
}
verdict_is() { # VERDICT@STAGE OPTION...
	local wanted=$1
	shift
	sent "$@"
	[ "$(mta_verdict)" = "$wanted" ]
}
becomes() { # DESCRIPTION VERDICT@STAGE OPTION...: by itself, in time
	local what=$1
	shift
	ok "$what" wait_for 20 verdict_is "$@"
}

printf '# who is not wanted\neve@x.test\n.evil.test   reason\nspammer@\n' |
	write "$T/list"
printf '198.51.100.0/24\n!198.51.100.7\n2001:db8::/32\n' | write "$T/cidr"
printf '/^make (money|fame)/  money\nif /lottery/\n/win/  lottery\nendif\n' |
	write "$T/regexp"
printf 'ann@x.test gold\nbob@x.test  silver\n' | write "$T/grades"
front '' "c;[rule list];when=sender in unwanted;action=reject 550 5.7.1 list
[rule cidr];when=client_addr in networks;action=reject 550 5.7.1 cidr
[rule regexp];when=header(\"Subject\") in subjects;action=reject 550 5.7.1 regexp
[rule gold];when=lookup(grades, sender) = gold;action=tempfail gold
[table unwanted];source=list:$T/list
[table networks];source=cidr:$T/cidr
[table subjects];source=regexp:$T/regexp
[table grades];source=list:$T/grades"

# ---- what is in them
while IFS='|' read -r wanted sender client subject; do
	printf 'Subject: %s\n\nbody\n' "$subject" >"$T/mail.eml"
	sent --sender "$sender" --client "c.x.test[$client]" "$T/mail.eml"
	is "$sender, $client, $subject" "$(mta_verdict)" "$wanted"
done <<'END'
accept@eom|x@x.test|192.0.2.1|hello
reject@mail|eve@x.test|192.0.2.1|hello
reject@mail|EVE@X.TEST|192.0.2.1|hello
reject@mail|a@evil.test|192.0.2.1|hello
reject@mail|a@very.evil.test|192.0.2.1|hello
accept@eom|a@notevil.test|192.0.2.1|hello
reject@mail|spammer@any.test|192.0.2.1|hello
reject@connect|x@x.test|198.51.100.8|hello
accept@eom|x@x.test|198.51.100.7|hello
reject@connect|x@x.test|2001:db8::1|hello
reject@eom|x@x.test|192.0.2.1|Make MONEY fast
reject@eom|x@x.test|192.0.2.1|you win the lottery
accept@eom|x@x.test|192.0.2.1|you win
tempfail@mail|ann@x.test|192.0.2.1|hello
accept@eom|bob@x.test|192.0.2.1|hello
END

# ---- each changes, and is in force without a reload
echo 'new@x.test' | write "$T/list"
becomes "list: an entry is new" reject@mail --sender new@x.test
ok "... and an old one is gone" verdict_is accept@eom --sender eve@x.test
echo '203.0.113.0/24' | write "$T/cidr"
becomes "cidr: a network is new" reject@connect --client 'c.x.test[203.0.113.1]'
ok "... and an old one is gone" verdict_is accept@eom \
	--client 'c.x.test[198.51.100.8]'
echo '/^hello/ x' | write "$T/regexp"
printf 'Subject: hello\n\nbody\n' >"$T/mail.eml"
becomes "regexp: a pattern is new" reject@eom "$T/mail.eml"
echo 'bob@x.test gold' | write "$T/grades"
becomes "values: one is new" tempfail@mail --sender bob@x.test
echo 'more@x.test' >>"$T/list"
becomes "written into, not replaced" reject@mail --sender more@x.test

# ---- a broken version: the one before stays, and the log says why
broken() { # TABLE FILE OPTION...: what was in force is so still
	local table=$1 file=$2
	shift 2
	ok "$table: a broken version is told" wait_for 20 in_file \
		"$file" "$SEKISHO_LOG"
	ok "... and the one before stays in force" "$@"
}
printf 'fine.test\n203.0.113.0/33\nnonsense here/8\n' | write "$T/cidr"
broken networks 'warning: .*/cidr:2' \
	verdict_is reject@connect --client 'c.x.test[203.0.113.1]'
ok "... every problem with its line" in_file '/cidr:3' "$SEKISHO_LOG"
printf '/fine/ x\n/(/ y\nif /a/\n' | write "$T/regexp"
broken subjects '/regexp:2' verdict_is reject@eom "$T/mail.eml"
mv "$T/list" "$T/list.away"
broken unwanted '/list is gone: table "unwanted" stays' \
	verdict_is reject@mail --sender new@x.test
like "all of that is a warning to look at" \
	"$(grep -E "$T/(cidr|regexp):" "$SEKISHO_LOG")" 'warning: .*stays as it was'
echo '/^good day/ x' | write "$T/regexp"
printf 'Subject: good day\n\nbody\n' >"$T/mail.eml"
becomes "mended: the next version is in force" reject@eom "$T/mail.eml"
echo 'back@x.test' | write "$T/list"
becomes "back again: in force" reject@mail --sender back@x.test

# ---- one message sees one version, from MAIL to its end
start_child slow 'at data do delay 3s'
front '' "slow;[rule late];when=header(\"Subject\") in subjects;action=reject
[table subjects];source=regexp:$T/regexp"
sent "$T/mail.eml" &
sender=$!
wait_for 10 in_file ' data$' "$T/slow.log"
echo '/nothing/ x' | write "$T/regexp"
wait "$sender"
is "changed in the middle of a message: the old version judges it" \
	"$(mta_verdict)" reject@eom

# ---- large tables are fast
awk 'BEGIN { for (i = 0; i < 100000; i++)
	printf "10.%d.%d.%d/32\n", i / 65536, i / 256 % 256, i % 256 }' \
	>"$T/large"
front '' "c;when=client_addr in large;[table large];source=cidr:$T/large"
sent --client 'c.x.test[10.1.134.159]'
like "the last of 100,000 networks" "$(cat "$T/mta.out")" '"X-Seen"'
sent --client 'c.x.test[10.1.134.160]'
unlike "... and the one behind it" "$(cat "$T/mta.out")" '"X-Seen"'
# The quickest of eight: the machine may have other things to do.
sent --sessions 8 --client 'c.x.test[10.1.134.160]'
wait_for 10 new_lines 8
quickest=$(grep ' verdict=' "$SEKISHO_LOG" |
	sed -n 's/.* time=\([0-9]*\)ms/\1/p' | sort -n | head -1)
ok "... in no time (${quickest:=none} ms)" test "$quickest" -lt 100

# ---- regexes that never end, values of a mebibyte: bounded
big() { # BYTES TEXT
	head -c "$1" /dev/zero | tr '\0' "$2"
}
{
	echo 'Subject: s'
	for i in {1..200}; do printf 'X-Evil: %s!%s\n' "$(big 900 a)" "$i"; done
	printf '\n'
	big 1000000 a | fold -w 900
	echo '!'
} >"$T/evil.eml"
timed() { # OPTION...: milliseconds one message takes
	local began=${EPOCHREALTIME/[.,]/}
	sent "$@"
	TOOK=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
}
i=0
while read -r when; do
	front '' "c;when=$when;[rule r];when=not ($when);action=log fired"
	timed "$T/evil.eml"
	ok "bounded: $when ($TOOK ms)" test "$TOOK" -lt 20000
	is "... and the message passes" "$(mta_verdict)" accept@eom
	timed "$T/mail.eml"
	ok "... the next one is as fast as ever ($TOOK ms)" test "$TOOK" -lt 20000
done <<'END'
header("X-Evil") ~ /^(a+)+$/
header("X-Evil") ~ /^(a|aa)+$/ or header("X-Evil") ~ /(.*)*x(.*)*y/s
body ~ /^(a*)*b/m
body ~ /(a+)+(a+)+(a+)+$/s
header("X-Evil") ~ /((a{0,50}){0,50}){0,50}z/
END

# Values as large as a packet holds.
{
	printf 'Subject: s\nX-Big: '
	big 60000 b
	printf '\n'
	for i in {1..15}; do printf 'X-Big: %s\n' "$(big 60000 b)"; done
	printf '\nbody\n'
} >"$T/big.eml"
front 'headers_size_max=8M' 'c;when=header("X-Big") ~ /b*c/ or body ~ /x/'
timed "$T/big.eml"
ok "sixteen values of 60,000 bytes ($TOOK ms)" test "$TOOK" -lt 20000
# A condition with many values is looked at in time, too.
front '' "c;when=size < 1M and not header(\"Subject\") in { $(
	printf 'w%s, ' {1..500})w }"
timed "$T/big.eml"
ok "a condition of 500 values ($TOOK ms)" test "$TOOK" -lt 20000
is "no worker was lost" "$(grep -c 'lost\|SIG' "$SEKISHO_LOG")" 0
done_testing
