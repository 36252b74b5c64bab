#!/bin/bash
# An MTA that takes a message back, at any point, and sends another on the
# same connection: nothing of the first is in the second.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
need_programs

ALL="connect helo mail rcpt data header eoh body eom"
start_child one 'at eom do addheader "X-one" "1"'
start_child slow 'at body do delay 20ms; continue
	at eom do delay 100ms; addheader "X-slow" "1"'
start_child nr 'option protocol nr_hdr nr_eoh nr_body; at eom do addheader "X-nr" "1"'
chunk=$(printf 'z%.0s' {1..65000})
SECOND='mail "<second@x.test>"; rcpt "<other@x.test>"; header "Subject" "second"
	body "second\r\n"; eom; expect continue'

# The length and fingerprint (FNV-1a) of the second body.
WHOLE="body=8 hash=cd4e6866ba7f5d2e"

for order in chain free strict; do
	front 'message_memory=64k' "one;order=$order" "slow;order=$order" \
		"nr;order=$order"
	for at in '' 'rcpt "<first@x.test>"' data 'header "X-First" "1"' eoh \
		'body "first\r\n"' "body \"$chunk\" 1" "body \"$chunk\" 20"; do
		word=${at%% *}
		word=${word:-mail}
		played "$order: abort after $word (${#at} bytes), then a second" \
			"mail \"<first@x.test>\"; $at; abort; $SECOND"
		for child in one slow nr; do
			wait_for 5 all_closed "$child"
			is "... $child saw the second whole" "$(
				log_since "$child" |
				sed -nE 's/^s[0-9]+ m[0-9]+ eom //p')" "$WHOLE"
		done
		like "... the first has its line" "$(line 1)" \
			'from="first@x.test".* verdict=abort'
		like "... and so has the second" "$(line 2)" \
			'from="second@x.test" nrcpt=1 .* verdict=accept edits=3'
	done
done

# ---- between the end of the message and the verdict
front '' slow one
played "ABORT behind E: one answer, and the next message is fine" \
	"rcpt; body \"first\\r\\n\"; raw 00000001450000000141
	expect tempfail; expect quiet 200ms; abort; $SECOND"
like "... as the log has it" "$(line 1)" 'verdict=abort'
like "... the second" "$(line 2)" 'verdict=accept'
# ---- MAIL or HELO inside a message end it
played "MAIL inside a message" "rcpt \"<first@x.test>\"; $SECOND"
like "... ends it" "$(line 1)" 'verdict=abort'
is "... for the children too" "$(heard one)" \
	"connect helo mail rcpt abort ${ALL#connect helo }"
played "HELO inside a message" 'rcpt; helo "again"; expect continue; abort
	mail; rcpt; body "t\r\n"; eom; expect continue'
like "... ends it" "$(line 1)" 'verdict=abort'
is "... for the children too" "$(heard one)" \
	"connect helo mail rcpt abort helo ${ALL#connect helo }"

busy_with() { log_since "$1" | grep -Eq "$2"; } # CHILD WHAT-IT-HEARD

# ---- the MTA is gone, in the middle of the body and at the end
for at in "body \"$chunk\" 20" 'body "first\r\n"; raw 0000000145'; do
	mark
	start player "$SEKISHO_MTA" -s "unix:$T/front.sock" -t 5s \
		-c "rcpt; $at; wait 5s"
	wait_for 5 busy_with slow 'body [0-9]+ hash'
	murder player
	like "the MTA is killed after ${at:0:12}: the message has its line" \
		"$(line 1)" 'verdict=(abort|accept)'
	ok "... the children are let go" wait_for 5 all_closed one
	sent
	is "... the next message passes" "$MTA_STATUS" 0
done

# ---- many of them
rm -f "$T/one.log"
murder child-one
start_child one 'at eom do addheader "X-one" "1"'
front 'workers_min=8' one
for stage in rcpt header body; do
	load --sessions 60 --parallel 6 -n 4 --abort-after "$stage"
	load_end
	lines_settle
	is "240 messages aborted after $stage: 240 lines" \
		"$(lines_of 'verdict=abort' "$SEKISHO_LOG")" 240
	front 'workers_min=8' one
done
load --sessions 60 --parallel 6 -n 4 --rset
load_end
account one
is "an ABORT after every message changes nothing" "${FACT[accept]}" 240
nothing_wrong "an ABORT after every message"
done_testing
