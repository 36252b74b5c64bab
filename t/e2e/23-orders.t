#!/bin/bash
# chain, free and strict children: who hears what, when, and whose no counts.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

ALL="connect helo mail rcpt data header eoh body eom"
TWO='rcpt "<no@x.test>"; expect reject; rcpt "<yes@x.test>"; expect continue
	data; expect continue; body "text\r\n"; eom; expect continue'

# ---- recipients
start_child refuser 'at rcpt when rcpt ~ "no@" do delay 100ms; reject'
start_child below ''
front '' refuser below
played "chain: a refused recipient, then one that is not" "$TWO"
is "chain: the child below believed in it and is told again" \
	"$(heard below)" "connect helo mail rcpt abort mail rcpt data header eoh body eom"
is "chain: ... without the refused one" "$(heard_rcpts below)" \
	"no@x.test yes@x.test yes@x.test"
is "chain: the child that refused goes on as it was" "$(heard refuser)" "$ALL"
like "chain: one recipient is left" "$(line)" \
	' nrcpt=1 .* refuser=continue,refused=1.* below=continue.* verdict=accept'

front '' refuser 'below;order=free'
played "free: a refused recipient" "$TWO"
is "free: it stays in the child's view" "$(heard_rcpts below)" \
	"no@x.test yes@x.test"
is "free: ... and nothing is told again" "$(heard below)" "$ALL"

front '' refuser 'below;order=strict'
played "strict: a refused recipient" "$TWO"
is "strict: the child never hears of it" "$(heard_rcpts below)" "yes@x.test"
is "strict: ... and nothing is told again" "$(heard below)" "$ALL"

front '' refuser 'below;rcpt=serial'
played "serial: a refused recipient" "$TWO"
is "serial: the child never hears of it" "$(heard_rcpts below)" "yes@x.test"
is "serial: ... and nothing is told again" "$(heard below)" "$ALL"

start_child also 'at rcpt when rcpt ~ "no@" do reject'
front '' also refuser
played "both refuse it" "$TWO"
is "a child that refused it too is not told again" "$(heard refuser)" "$ALL"
front '' refuser below
played "all recipients refused, the MTA gives up" \
	'rcpt "<no@x.test>"; expect reject; abort'
is "the child below is told so, once" "$(heard below)" \
	"connect helo mail rcpt abort"
like "it has its line" "$(line)" ' nrcpt=0 .* verdict=abort'
played "refused after an accepted one" 'rcpt "<yes@x.test>"
	rcpt "<no@x.test>"; expect reject; rcpt "<more@x.test>"; eom; expect continue'
is "told again: what was accepted before it too" "$(heard_rcpts below)" \
	"yes@x.test no@x.test more@x.test yes@x.test more@x.test"

# ---- whose no counts
start_child slow_no 'at mail do delay 300ms; reply "550 5.7.1 the first"
	at eom do delay 300ms; reply "550 5.7.1 the first"'
start_child fast_no 'at mail do reply "550 5.7.2 the second"
	at eom do reply "550 5.7.2 the second"'
front '' slow_no fast_no
played "the first no in the order of the file wins, however slow" \
	'mail; expect reply "550 5.7.1 the first"'
like "... and the line names it" "$(line)" \
	'slow_no=reject@mail.* verdict=reject by=slow_no stage=mail reply="550 5.7.1 the first"'
start_child slower_no 'at mail do delay 30s; reply "550 5.7.1 the first"'
front '' fast_no slower_no
played "and the other way round" 'mail; expect reply "550 5.7.2 the second"'
ok "... nobody waits for the slow one below" test "$(
	line | sed 's/.* time=\([0-9]*\)ms/\1/')" -lt 20000
front '' 'below;order=free' fast_no
played "a child further down says no" 'mail; expect reply "550 5.7.2 *"'
is "those above are released with an abort" "$(heard below)" \
	"connect helo mail abort"

start_child late_no 'at eom do reply "554 5.7.1 at the end"'
front '' late_no below
played "a no at the end of the message" \
	'body "text\r\n"; eom; expect reply "554 5.7.1 at the end"'
is "the child below never sees the content" "$(heard below)" \
	"connect helo mail rcpt data abort"
like "... its part is told in the line" "$(line)" 'below=released'
front '' late_no 'below;order=free'
played "a no at the end, with a free child" \
	'body "text\r\n"; eom; expect reply "554 5.7.1 at the end"'
like "the free child had the content meanwhile" "$(heard below)" \
	'^connect helo mail rcpt data header eoh body'

# ---- strict
start_child no_client 'at connect do delay 100ms; reject'
front '' no_client 'below;order=strict'
played "strict: nothing at all before those above let it pass" \
	'connect; expect reject; helo; expect reject'
is "... not even a connection" "$(log_since below)" ""
front '' no_client below
played "chain: all are asked at once" 'connect; expect reject'
is "... the child below as well" "$(heard below)" "connect"
like "the connection has its line" "$(line)" \
	'NOQUEUE: client="client.example.org\[192.0.2.1\]" messages=0 verdict=reject by=no_client stage=connect'

# ---- content runs down the chain
start_child editor 'at eom do chgheader 1 "Subject" "changed"
	replbody "new body\r\n"; addheader "X-Editor" "was here"; delay 1500ms'
start_child judge ''
start_child free 'at eom do delay 1500ms; continue'
start_child strict ''
front '' editor judge 'free;order=free' 'strict;order=strict'
sent
is "accepted" "$MTA_STATUS" 0
for c in judge strict; do
	is "$c sees the changed subject" "$(header_heard "$c" Subject)" '"changed"'
	is "$c sees the added header" "$(header_heard "$c" X-Editor)" '"was here"'
	like "$c sees the new body" "$(log_since "$c")" ' eom body=10 '
done
is "the free child sees what came" "$(header_heard free Subject)" '"a test"'
is "... without what was added" "$(header_heard free X-Editor)" ""
like "... with the body that came" "$(log_since free)" ' eom body=17 '
took=$(line | sed 's/.* time=\([0-9]*\)ms/\1/')
ok "the free child's time is not added ($took ms)" \
	test "$took" -ge 1500 -a "$took" -lt 3000
like "the MTA gets the edits in the end" "$(cat "$T/mta.out")" \
	'"edit":"chgheader","index":1,"name":"Subject","value":" changed"'

# ---- edits of several
start_child top 'at eom do addheader "X-Order" "1"; replbody "one\r\n"'
start_child bottom 'at eom do addheader "X-Order" "2"; replbody "two\r\n"
	chgheader 1 "Subject" ""'
start_child changer 'at eom do chgheader 1 "Subject" "free word"
	addheader "X-Order" "3"; replbody "three\r\n"'
front '' top bottom 'changer;order=free'
sent
is "edits come in the order of the chain" "$(
	grep -o '"name":"X-Order","value":" [0-9]' "$T/mta.out" |
		grep -o '[0-9]$' | paste -sd' ')" "1 2 3"
is "only the last body is sent" "$(grep -o '"edit":"replbody"' "$T/mta.out" |
	wc -l)" 1
like "... the chain's, not the free child's" "$(cat "$T/mta.out")" '"body_size":5,'
unlike "a free child's change of what is gone is dropped" \
	"$(cat "$T/mta.out")" 'free word'
start_child lost_edit 'at eom do addheader "X-Lost" "1"; reject'
front '' top lost_edit
sent
is "no edit goes with a refusal" "$MTA_STATUS $(
	grep -o '"edits":\[\]' "$T/mta.out")" '10 "edits":[]'
done_testing
