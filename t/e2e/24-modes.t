#!/bin/bash
# mode = off and mode = evaluate: asked, counted, logged, and without effect.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

ALL="connect helo mail rcpt data header eoh body eom"
MESSAGE='body "text\r\n"; eom; expect continue'

took() { # how long the MTA waited for answers in all, in ms
	sed -nE 's/^  [a-z]+ .*  ([0-9.]+) ms$/\1/p' "$T/mta.out" |
		sed '$d' | awk '{ n += $1 } END { printf "%d\n", n }'
}

start_child plain ''
start_child no 'at eom do reject'
front '' 'no;mode=off' plain
played "off: the child would refuse it" "$MESSAGE"
is "off: it is not even connected to" "$(log_since no)" ""
like "off: the line says so" "$(line)" ' no=skip\(off\) plain=continue'

# ---- evaluate: every answer without effect
while IFS='|' read -r name script wants; do
	start_child "$name" "$script"
	front '' "$name;mode=evaluate" plain
	played "evaluate: $name: the message passes" "$MESSAGE"
	like "evaluate: $name: the line tells it in parentheses" "$(line)" \
		"\($name=$wants(/[0-9.]+ms)?\) plain=continue.* verdict=accept edits=0"
done <<'E2'
tardy|at optneg do delay 200ms; continue; at eom do reject|reject@eom
noclient|at connect do reject|reject@connect
nohelo|at helo do tempfail|tempfail@helo
nomail|at mail do reply "550 5.7.1 no"|reject@mail
norcpt|at rcpt do reject|continue,refused=1
nodata|at data do discard|discard@data
noheader|at header do reject|reject@header
noeom|at eom do delay 100ms; reject|reject@eom
edited|at eom do addheader "X-Not" "1"; replbody "not this"|continue
held|at eom do quarantine "not this"|continue
garbage|at eom do garbage 000000017a|failed\(protocol\)@eom
gone|at body do close|failed\([a-z]+\)@(body|eom)
early|at helo do garbage 000000017a|failed\([a-z]+\)@[a-z]+
E2

# ---- nobody waits for it
start_child slow 'at rcpt do delay 2s; continue
	at eom do delay 2s; addheader "X-Not" "1"; reject'
front 'evaluate_grace=20s' 'slow;mode=evaluate' plain
played "evaluate: a slow child, and the MTA asks no more" \
	'mail; rcpt; expect continue; body "text\r\n"; eom; expect continue; abort'
ok "the MTA did not wait ($(took) ms)" test "$(took)" -lt 1900
like "it was heard to its end all the same" "$(line)" \
	'\(slow=reject@eom/[0-9.]+ms\)'
is "... and saw everything" "$(heard slow)" "$ALL"
is "the next child did not wait for it either" "$(heard plain)" "$ALL"

start_child endless 'at eom do silence'
front 'evaluate_grace=1s' 'endless;mode=evaluate' plain
played "evaluate: one that never answers" "$MESSAGE"
like "grace ends" "$(line)" '\(endless=[a-z@()]+(/[0-9.]+ms)?\)'
took=$(line | sed 's/.* time=\([0-9]*\)ms/\1/')
ok "... in its time ($took ms)" test "$took" -ge 900 -a "$took" -lt 4900

front 'evaluate_grace=10s' 'endless;mode=evaluate' plain
played "evaluate: the MTA's next message ends the grace" \
	"$MESSAGE; wait 300ms; mail; rcpt; body \"text\\r\\n\"; eom; expect continue"
ok "... at once ($(took) ms)" test "$(took)" -lt 9000
like "... for the first message" "$(line 1)" '\(endless=released'
is "the child was joined anew for the second" \
	"$(log_since endless | grep -c ' open$')" 2

# ---- it sees what its place would show it, and changes nothing below it
start_child changer 'at eom do chgheader 1 "Subject" "changed"'
start_child watcher 'at eom do chgheader 1 "Subject" "not this"'
start_child last ''
front '' changer 'watcher;mode=evaluate' last
sent
is "evaluate: accepted" "$MTA_STATUS" 0
is "it sees what those above left" "$(header_heard watcher Subject)" '"changed"'
is "those below see nothing of it" "$(header_heard last Subject)" '"changed"'
unlike "nor does the MTA" "$(cat "$T/mta.out")" 'not this'

# ---- its refusals do not count for others' recipients
front '' 'norcpt;mode=evaluate' plain
played "evaluate: a refused recipient" \
	'rcpt; expect continue; body "text\r\n"; eom; expect continue'
is "the child below is not told again" "$(heard plain)" "$ALL"
like "it is counted" "$(line)" ' nrcpt=1 .*\(norcpt=continue,refused=1'
done_testing
