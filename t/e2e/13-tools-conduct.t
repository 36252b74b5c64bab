#!/bin/bash
# How the players behave: many sessions, death, records, saved messages,
# scripts of the MTA, habits.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
need_programs "$SEKISHO_MTA" "$SEKISHO_MILTER"

# ---- many at once
start_child many 'at eom when sender ~ hold do delay 20ms; quarantine x
at mail when message 2 do reject'
mta -s "unix:$T/many.sock" --sessions 300 --parallel 30 -n 3 -q
is "300 sessions of 3 messages" "$MTA_STATUS" 0
like "summed up" "$(cat "$T/mta.out")" \
	'^300 sessions, 900 messages: accept 600, reject 300, tempfail 0, discard 0, quarantine 0, failures 0'
is "the child counts as many" "$(lines_of ' m3 eom ' "$T/many.log")" 300
is "and no more" "$(lines_of ' open$' "$T/many.log")" 300
mta -s "unix:$T/many.sock" --sessions 40 --parallel 20 -n 2 -j
is "one line of JSON a message" "$(lines_of '^\{.*\}$' "$T/mta.out")" 80
is "and nothing else" "$(wc -l <"$T/mta.out")" 80
stop_child many
is "TERM ends it well" "$STATUS" 0
ok "it takes its socket away" test ! -e "$T/many.sock"

start_child flaky 'at rcpt when chance 1/3 do close' --seed 7
mta -s "unix:$T/flaky.sock" --sessions 60 --parallel 4 -q
is "one failure among many is a failure" "$MTA_STATUS" 20
unlike "but not all fail" "$(cat "$T/mta.out")" 'accept 0,'
stop_child flaky

# ---- slow ones do not hold up others
start_child mixed 'at eom when sender ~ slow do delay 60s'
start slow "$SEKISHO_MTA" -s "unix:$T/mixed.sock" --sender slow@x
ok "the slow one waits" wait_for 5 in_file 'slow@x' "$T/mixed.log"
before=${EPOCHREALTIME/[.,]/}
ok "another passes meanwhile" mta -s "unix:$T/mixed.sock" --sender quick@x
after=${EPOCHREALTIME/[.,]/}
ok "at once" test $((after - before)) -lt 30000000
ok "while the first still waits" running slow
expect_death slow
kill "${PID[slow]}"
reap slow
stop_child mixed

# ---- death
start_child dies 'at data do exit 7'
expect_death child-dies
mta -s "unix:$T/dies.sock"
is "a child that ends: a failure" "$MTA_STATUS" 20
reap child-dies
is "with the status it was told" "$STATUS" 7
start_child killed 'at data do kill'
expect_death child-killed
mta -s "unix:$T/killed.sock"
reap child-killed
is "or by SIGKILL" "$STATUS" 137
ok "its socket stays behind" test -S "$T/killed.sock"
start again "$SEKISHO_MILTER" -s "unix:$T/killed.sock"
ok "which the next one takes over" wait_for 10 in_file '^ready ' "$T/again.out"
not_ok "but not from a living one" "$SEKISHO_MILTER" -s "unix:$T/killed.sock"
ok "that goes on" mta -s "unix:$T/killed.sock"
stop again

# ---- ready, mode, inet
free_port port
start inet "$SEKISHO_MILTER" -s "inet:$port@127.0.0.1" --log -
ok "it says when it is ready" wait_for 10 in_file \
	"^ready inet:$port@127.0.0.1\$" "$T/inet.out"
ok "over TCP, in the other spelling" mta -s "inet:127.0.0.1:$port"
ok "the record on stdout" in_file '^s1 m1 eom ' "$T/inet.out"
stop inet
start fd sh -c 'exec "$0" -s "$1" --mode 0600 --ready-fd 3 3>"$2"' \
	"$SEKISHO_MILTER" "unix:$T/fd.sock" "$T/fd.ready"
ok "or on a descriptor" wait_for 10 in_file '^ready unix:' "$T/fd.ready"
is "with the mode it was told" "$(stat -c %a "$T/fd.sock")" 600
stop fd

# ---- the record, and messages as seen
mkdir "$T/saved"
printf 'Subject: one\nX: a\n b\n\nline\n.\n' >"$T/in.eml"
start_child record '' --save "$T/saved"
mta -s "unix:$T/record.sock" --client 'mx.example.org[2001:db8::7]' \
	--helo me --sender 'a@x SIZE=99 BODY=8BITMIME' -r 'b@x NOTIFY=NEVER' \
	-r c@x --unknown 'NOSUCH "thing"' --macro 'rcpt:{odd}=a b' "$T/in.eml"
hash=$(sed -n 's/.* eom .*hash=//p' "$T/record.log")
is "the whole record" "$(grep -v ' macro ' "$T/record.log")" "s1 open
s1 optneg version=6 actions=0x1ff protocol=0x1fffff
s1 > optneg version=6 actions=0x0 protocol=0x0
s1 connect mx.example.org 6 34567 2001:db8::7
s1 > continue
s1 helo me
s1 > continue
s1 unknown \"NOSUCH \\\"thing\\\"\"
s1 > continue
s1 m1 mail <a@x> SIZE=99 BODY=8BITMIME
s1 m1 > continue
s1 m1 rcpt <b@x> NOTIFY=NEVER
s1 m1 > continue
s1 m1 rcpt <c@x>
s1 m1 > continue
s1 m1 data
s1 m1 > continue
s1 m1 header Subject \"one\"
s1 m1 > continue
s1 m1 header X \"a\\n b\"
s1 m1 > continue
s1 m1 eoh
s1 m1 > continue
s1 m1 body 9 hash=$hash
s1 m1 > continue
s1 m1 eom body=9 hash=$hash
s1 m1 > continue
s1 m1 abort
s1 m1 abort
s1 quit
s1 close quit"
like "macros by stage" "$(cat "$T/record.log")" \
	'^s1 m1 macro rcpt .*\{odd\}="a b"$'
ok "the message is saved as it was" cmp "$T/saved/s1-m1.eml" \
	<(sed 's/$/\r/' "$T/in.eml")
like "and its envelope" "$(paste -sd/ "$T/saved/s1-m1.env")" \
	'client mx.example.org 2001:db8::7/helo me/mail <a@x> SIZE=99 BODY=8BITMIME/rcpt <b@x> NOTIFY=NEVER/rcpt <c@x>/'
stop_child record

# ---- habits
aborts() { grep -c ' abort$' "$T/habits.log"; }
start_child habits 'at mail when sender ~ no do reject'
mta -s "unix:$T/habits.sock"
is "Postfix aborts after the message and before quit" "$(aborts)" 2
: >"$T/habits.log"
mta -s "unix:$T/habits.sock" --habits sendmail
is "Sendmail does not" "$(aborts)" 0
mta -s "unix:$T/habits.sock" --habits sendmail --sender no@x
is "not after a refusal either" "$(aborts)" 0
mta -s "unix:$T/habits.sock" --habits sendmail --abort-after rcpt
is "but in the middle" "$(aborts):$MTA_STATUS" 1:0
for stage in mail rcpt data header eoh body; do
	: >"$T/habits.log"
	mta -s "unix:$T/habits.sock" --habits sendmail --abort-after $stage
	is "abandoned after $stage, then again" \
		"$MTA_STATUS:$(aborts):$(lines_of ' m1 eom ' \
			"$T/habits.log"):$(lines_of ' m2 eom ' "$T/habits.log")" \
		0:1:0:1
done
: >"$T/habits.log"
mta -s "unix:$T/habits.sock" --helo-twice -n 2
is "helo before every message" "$(lines_of '^s[0-9]+ helo ' "$T/habits.log")" 3
mta -s "unix:$T/habits.sock" --habits sendmail --client 'mx[2001:db8::7]'
like "Sendmail spells IPv6 its own way" "$(tail -n 60 "$T/habits.log")" \
	'^s[0-9]+ connect mx 6 34567 IPv6:2001:db8::7$'
stop_child habits
start_child rej 'option protocol rcpt_rej'
mta -s "unix:$T/rej.sock" -r yes@x --refused-rcpt no@x
is "a recipient the MTA refuses is told to who asked" \
	"$MTA_STATUS:$(lines_of 'rcpt <no@x>' "$T/rej.log")" 0:1
like "with macros that say so" "$(cat "$T/rej.log")" \
	'macro rcpt .*\{rcpt_mailer\}=error'
stop_child rej
start_child norej ''
mta -s "unix:$T/norej.sock" -r yes@x --refused-rcpt no@x
is "and to nobody else" "$(lines_of 'rcpt <no@x>' "$T/norej.log")" 0

# ---- scripts of the MTA
script() { mta -s "unix:$T/norej.sock" -t 5s -c "$1"; }
ok "what is left out is filled in" script 'eom; expect continue'
is "all of it" "$(grep -v ' macro \| > ' "$T/norej.log" | tail -n 16 |
	sed 's/^s[0-9]* \(m1 \)\?//; s/ .*//' | paste -sd' ')" \
	"open optneg connect helo mail rcpt data header header header header header eoh eom quit close"
ok "or not" script 'fill no; mail <a@x>; expect continue; eom; expect continue'
ok "raw bytes" script 'raw 000000054162000000; wait 1ms; raw 00; expect quiet 50ms'
not_ok "an expectation that fails" script 'mail; expect reject'
like "says so" "$(cat "$T/mta.out")" 'line 1: reject expected, got continue'
ok "a bad packet ends it" script 'connect; raw 00000000; expect close'
ok "several messages" script 'mail <a@x>; eom; mail <b@x>; body "abc" 3; eom
expect continue; abort; mail; quit'
is "a mistake in a script" \
	"$(script 'helo; sing' || echo "$MTA_STATUS $(cat "$T/mta.err")")" \
	"2 sekisho-mta: script:1:7: unknown statement: sing"
stop_child norej
done_testing
