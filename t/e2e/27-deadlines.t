#!/bin/bash
# Children that are slow: each limit, and whose fault it is; the MTA hears of
# work that goes on between the end of message and the verdict only.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

took() { # how long the MTA waited for answers in all, in ms
	sed -nE 's/^  [a-z]+ .*  ([0-9.]+) ms$/\1/p' "$T/mta.out" |
		sed '$d' | awk '{ n += $1 } END { printf "%d\n", n }'
}
# HIGH is what it would take if this limit were not: the default or the next
# one, not what a quiet machine needs.
between() { # DESCRIPTION LOW HIGH: what was played took so long, in ms
	local ms
	ms=$(took)
	ok "$1 ($ms ms)" test "$ms" -ge "$2" -a "$ms" -lt "$3"
}

# Settings that must stay below the message's deadline.
SHORT='progress_interval=500ms;evaluate_grace=500ms'
start_child plain ''
start_child silent 'at mail do silence'
start_child silent_eom 'at eom do silence'
start_child dumb 'at optneg do silence'

front '' 'silent;timeout_command=600ms' plain
played "timeout_command" 'mail; expect tempfail'
between "... in its time" 550 6500
like "... is a failure by silence" "$(line)" 'silent=failed\(timeout\)@mail'

front '' 'dumb;timeout_connect=600ms' plain
played "timeout_connect: an MTA that connects hears nothing of it" \
	'connect; expect continue; helo; expect continue; mail; expect tempfail'
like "... settled at MAIL" "$(line)" 'dumb=failed\([a-z]+\)@mail'
between "... each try within its time" 550 2900

front '' 'silent_eom;timeout_eom=600ms' plain
played "timeout_eom" 'rcpt; body "t\r\n"; eom; expect tempfail'
between "... in its time" 550 20000
like "... is a failure by silence" "$(line)" 'silent_eom=failed\(timeout\)@eom'

# ---- our own deadlines
front 'step_deadline=700ms;step_deadline_postfix=700ms' silent plain
played "step_deadline, with a child that may take longer" \
	'mail; expect tempfail'
between "... in its time" 650 6500
like "... counts as late, not as silent" "$(line)" 'silent=failed\(late\)@mail'
front 'step_deadline=700ms;step_deadline_postfix=20s' 'silent;timeout_command=4s'
played "Postfix is known to wait longer" 'mail; expect tempfail' --habits postfix
between "... so the child has its own time" 3900 15000
played "others are not" 'mail; expect tempfail' --habits sendmail
between "... and get their answer sooner" 650 3800

front "$SHORT;message_deadline=1s" silent_eom plain
played "message_deadline" 'rcpt; body "t\r\n"; eom; expect tempfail'
between "... in its time" 950 20000
like "... counts as late" "$(line)" 'silent_eom=failed\(late\)@eom'
is "the child below never saw it" "$(heard plain)" \
	"connect helo mail rcpt data abort"
start_child slow_one 'at eom do delay 1500ms; continue'
start_child slow_two 'at eom do delay 1500ms; continue'
front "$SHORT;message_deadline=2500ms" slow_one slow_two
played "message_deadline is over all together" \
	'rcpt; body "t\r\n"; eom; expect tempfail'
like "... the one that was at it is late" "$(line)" \
	'slow_one=continue.* slow_two=failed\(late\)@eom'
front "$SHORT;message_deadline=2500ms" 'slow_one;on_failure=accept' 'silent_eom;on_failure=accept'
played "late, with policy accept: it passes" 'rcpt; body "t\r\n"; eom; expect continue'
like "... and the line says so" "$(line)" 'passed_without=silent_eom verdict=accept'

# ---- signs of progress
start_child toiling 'at eom do delay 500ms; progress; delay 500ms; progress
	delay 500ms; progress; delay 500ms; addheader "X-Done" "1"'
front '' 'toiling;timeout_eom=1800ms'
played "PROGRESS renews the child's own time" \
	'rcpt; body "t\r\n"; eom; expect continue'
between "... however long all of it takes" 1900 20000
start_child for_ever "at eom do $(for i in {1..40}; do
	echo "delay 300ms; progress;"; done)"
front "$SHORT;message_deadline=2s" 'for_ever;timeout_eom=1800ms'
played "PROGRESS never renews the message's deadline" \
	'rcpt; body "t\r\n"; eom; expect tempfail'
between "... which comes in its time" 1900 11000
start_child early_progress 'at mail do progress; delay 1s; progress; delay 1s; continue
	at rcpt do delay 600ms; continue'
front 'progress_interval=500ms' 'early_progress;timeout_command=1900ms'
# A Sendmail drops a milter that says PROGRESS before the end of message.
played "a child's PROGRESS before the end is heard, not passed on" \
	'mail; expect continue; rcpt; expect continue; eom; expect continue' \
	--habits sendmail
start_child slow_eom 'at eom do delay 4s; continue'
front 'progress_interval=1s' slow_eom
played "the MTA, which waits 3 s for a packet, is kept patient" \
	'rcpt; body "t\r\n"; eom; expect continue' -t 3s
front 'progress_interval=10s' slow_eom
mark
mta -s "unix:$T/front.sock" -t 1800ms -c 'rcpt; body "t\r\n"; eom'
is "... which else had given up" "$MTA_STATUS" 20
like "... and that has its line" "$(line)" 'verdict=abort'

# ---- an MTA that goes away or is silent
front 'mta_timeout=1s;mta_idle_timeout=4s' plain
played "an MTA silent inside a message is taken for gone" \
	'mail; expect continue; wait 1100ms; expect close'
like "... and the message has its line" "$(line)" 'verdict=abort'
is "... the child is told" "$(heard plain)" "connect helo mail abort"
played "an MTA silent between messages has longer" \
	'rcpt; eom; expect continue; wait 1800ms; mail; expect continue'
played "... but not for ever" 'helo; expect continue; wait 1800ms; expect close'
done_testing
