#!/bin/bash
# Conditions about recipients: any, all or the milter's own; what becomes of
# recipients that other milters look at; refused ones on replay.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs
ours='when=recipient in ours'
table='[table ours];source=inline:.ours.test'
start_child c ''
rcpts() { # sends to these, each at once
	local r args=()
	for r; do args+=(-r "$r"); done
	sent "${args[@]}"
}
fates() {
	grep -oE '"fate":"[a-z]*"' "$T/mta.out" | cut -d'"' -f4 | paste -sd' '
}

# ---- who is shown what: any, all, own
while IFS='|' read -r how wanted to; do
	front '' "c;$ours;recipients=$how;$table"
	# shellcheck disable=SC2086 # several words
	rcpts $to
	is "$how of $to" "$(heard_rcpts c)" "$wanted"
	[ -n "$wanted" ] || like "... it does not apply" "$(line)" \
		'c=skip\(condition\) verdict=accept'
done <<'END'
any|a@ours.test b@other.test|a@ours.test b@other.test
any|b@other.test a@ours.test c@other.test|b@other.test a@ours.test c@other.test
any||b@other.test c@other.test
all|a@ours.test b@sub.ours.test|a@ours.test b@sub.ours.test
all||a@ours.test b@other.test
all||b@other.test a@ours.test
own|a@ours.test|a@ours.test b@other.test
own|a@ours.test c@ours.test|b@other.test a@ours.test x@other.test c@ours.test
own||b@other.test c@other.test
END

# ---- all: not asked before all are known
front '' "c;$ours;recipients=all;$table"
rcpts a@ours.test b@ours.test
is "all: told everything at data" "$(heard c)" \
	"connect helo mail rcpt data header eoh body eom"

# ---- its word about a recipient, and about the message
start_child picky 'at rcpt when rcpt ~ "no@" do reply "550 5.1.1 no such user"'
front '' "picky;$ours;recipients=own;$table"
rcpts no@other.test no@ours.test yes@ours.test
is "own: refuses only what it is shown" "$(fates)" "accepted rejected accepted"
is "... and the message passes" "$(mta_verdict)" accept@eom
rcpts no@ours.test b@other.test
is "own: has refused the only one it was shown" "$(fates)" "rejected accepted"
is "... and the message passes for the other" "$(mta_verdict)" accept@eom
unlike "... the child does not see a message for nobody" "$(heard picky)" 'eom'
front '' "picky;$ours;recipients=all;$table"
rcpts no@ours.test yes@ours.test
is "all: its late no to one is one to the message" "$(mta_verdict)" reject@data
front '' "picky;$ours;recipients=all;late_refusal=keep;$table"
rcpts no@ours.test yes@ours.test
is "... or is only logged" "$(mta_verdict)" accept@eom

start_child judge 'at eom do reply "554 5.7.1 spam"'
front '' "judge;$ours;recipients=own;$table"
rcpts a@ours.test b@other.test
is "share: what it says about the message concerns everybody" \
	"$(mta_verdict)" reject@eom
start_child mark 'at eom do addheader "X-Mark" "1"; delrcpt "<a@ours.test>"'
front '' "mark;$ours;recipients=own;$table"
rcpts a@ours.test b@other.test
is "share: and what it does to it, too" "$(fates) $(
	grep -o '"name":"X-Mark"' "$T/mta.out")" \
	'deleted accepted "name":"X-Mark"'

# ---- mixed = defer: one set of milters for each message
front '' "judge;$ours;recipients=own;mixed=defer;$table"
played "defer: the other kind shall come in a message of its own" \
	'rcpt "<a@ours.test>"; expect continue
	rcpt "<b@other.test>"; expect reply "452 4.5.3*"
	rcpt "<c@ours.test>"; expect continue
	body "t\r\n"; eom; expect reply "554 5.7.1 spam"'
is "... the child is told of its own" "$(heard_rcpts judge)" \
	"a@ours.test c@ours.test"
played "defer: and the other way round" \
	'rcpt "<b@other.test>"; expect continue
	rcpt "<a@ours.test>"; expect reply "452 4.5.3*"
	rcpt "<c@other.test>"; expect continue
	body "t\r\n"; eom; expect continue'
is "... the child hears nothing" "$(log_since judge)" ""
like "... the line tells how many recipients were left" "$(line)" 'nrcpt=2 '
played "defer: sent again, each message has its own outcome" \
	'rcpt "<a@ours.test>"; rcpt "<b@other.test>"; expect reply "452*"
	body "t\r\n"; eom; expect reply "554*"
	mail; rcpt "<b@other.test>"; expect continue
	body "t\r\n"; eom; expect continue'
# A recipient that was refused is not the first one.
front '' 'picky' "judge;$ours;recipients=own;mixed=defer;$table"
played "defer: the first that was accepted sets the kind" \
	'rcpt "<no@ours.test>"; expect reply "550*"
	rcpt "<b@other.test>"; expect continue
	rcpt "<a@ours.test>"; expect reply "452 4.5.3*"
	body "t\r\n"; eom; expect continue'

# ---- refused recipients are not replayed
# One that was connected when the refusal came has heard them, and is told
# the envelope again: the last one counts.
last_envelope() { # NAME
	heard_rcpts "$1" >/dev/null
	log_since "$1" | sed -nE \
		's/^s[0-9]+ m[0-9]+ (mail|rcpt) <?([^ >]*).*/\1 \2/p' |
		awk '$1 == "mail" { n = 0 } $1 == "rcpt" { rcpt[n++] = $2 }
			END { for (i = 0; i < n; i++)
				printf "%s%s", i ? " " : "", rcpt[i] }'
}
start_child above 'at rcpt when rcpt ~ "no@" do reply "550 5.1.1 no"'
while read -r stage when; do
	front '' above "c;when=$when;$table"
	rcpts no@ours.test a@ours.test no@other.test b@other.test
	is "joins at $stage: not told of refused recipients" \
		"$(last_envelope c)" "a@ours.test b@other.test"
done <<'END'
rcpt recipient = a@ours.test
data recipient_count = 2
eoh not header("X-None")
eom size < 1M
END
front '' above "c;$ours;$table"
rcpts no@ours.test b@other.test
is "a refused recipient makes nothing true" "$(log_since c)" ""
like "... which the line tells" "$(line)" 'c=skip\(condition\)'
front '' above "c;when=recipient_count >= 2"
rcpts no@ours.test b@other.test
is "... and does not count" "$(log_since c)" ""
front '' above "c;$ours;recipients=all;$table"
rcpts no@other.test a@ours.test
is "... nor in all" "$(heard_rcpts c)" "a@ours.test"

# ---- all refused: there is no message
for when in 'recipient = no@ours.test' 'recipient_count < 5' 'size < 1M' \
	'not recipient = x@x.test'; do
	front '' above "c;when=$when"
	played "all refused: $when" 'rcpt "<no@ours.test>"; expect reply "550*"
		rcpt "<no@other.test>"; expect reply "550*"; abort'
	is "... the child never heard of it" "$(log_since c)" ""
done
played "... and the next message is none the worse" \
	'rcpt "<no@ours.test>"; abort; mail; rcpt "<a@ours.test>"; eom; expect continue'
is "... of which it is told" "$(heard_rcpts c)" "a@ours.test"

# ---- replayed recipients: a later beats a never
start_child both 'at rcpt when rcpt ~ "no@" do reply "550 5.1.1 never"
	at rcpt when rcpt ~ "later@" do reply "450 4.2.0 later"'
front '' 'both;when=size < 1M'
rcpts no@x.test later@x.test yes@x.test
is "told at the end: one never, one later: later" \
	"$(mta_verdict) $(line | grep -o 'reply=.*4.2.0 later')" \
	'tempfail@eom reply="450 4.2.0 later'
rcpts no@x.test yes@x.test
is "... one never" "$(mta_verdict)" reject@eom
start_child tf 'at eom do tempfail'
front '' above 'tf;when=size < 1M' c
rcpts no@x.test yes@x.test
is "a child that joins at the end says later" "$(mta_verdict)" tempfail@eom
unlike "... the one below does not see the message" "$(heard c)" header
done_testing
