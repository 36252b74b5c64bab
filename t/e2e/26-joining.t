#!/bin/bash
# A child that joins late hears by replay what it missed: the outcome is the
# one it would have had from the beginning.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

STAGES="helo mail rcpt data header eoh body eom"
start_child above 'at eom do addheader "X-Above" "1"'

# Verdict, edits and recipients, as the MTA sees them; times left out.
outcome() {
	grep -oE '"(verdict|quarantine|sender|body_size)":"?[^",]*|"edits":\[[^]]*\]' \
		"$T/mta.out" | paste -sd' '
}

# One child by behaviour; told at connect first, then at every other stage.
# A no before DATA is given to a later command; the class is the same.
while IFS='|' read -r name script; do
	start_child "$name" "$script"
	front '' above "$name;join=connect"
	sent -m 'mail:{auth_authen}=anna' --sender '<s@x.test> SIZE=100'
	wanted=$(outcome)
	ears=$(heard "$name")
	macros=$(log_since "$name" | sed -n 's/^s[0-9]* m\{0,1\}[0-9]* *macro /macro /p' |
		sed 's/i=[^ ]*/i=ID/' | sort -u)
	for stage in $STAGES; do
		front '' above "$name;join=$stage"
		sent -m 'mail:{auth_authen}=anna' --sender '<s@x.test> SIZE=100'
		is "$name, joining at $stage" "$(outcome)" "$wanted"
		[ "$name" = good ] || continue
		is "... heard the same" "$(heard "$name")" "$ears"
		is "... with the same macros" "$(log_since "$name" |
			sed -n 's/^s[0-9]* m\{0,1\}[0-9]* *macro /macro /p' |
			sed 's/i=[^ ]*/i=ID/' | sort -u)" "$macros"
		like "... and the arguments" "$(log_since "$name")" \
			' mail <s@x.test> SIZE=100$'
	done
done <<'E2'
good|at eom do addheader "X-Late" "1"; chgheader 1 "Subject" "changed"; replbody "new\r\n"
accepts|at mail do accept
accepts_all|at connect do accept
no_client|at connect do reject
no_helo|at helo do tempfail
no_sender|at mail do reject
no_data|at data do reject
no_header|at header "Subject" do reject
no_eoh|at eoh do tempfail
no_body|at body do reject
no_message|at eom do reject
discards|at mail do discard
holds|at eom do quarantine "held"
gone|at body do close
E2

# ---- a no to an earlier recipient
start_child no_rcpt 'at rcpt when rcpt ~ "no@" do reply "550 5.1.1 late no"
	at rcpt when rcpt ~ "later@" do reply "450 4.2.0 late later"'
for stage in data header eom; do
	front '' "no_rcpt;join=$stage"
	played "late_refusal=verdict, join=$stage: a no to the message" \
		"rcpt \"<no@x.test>\"; expect continue; rcpt \"<yes@x.test>\"
		expect continue; $(
			[ $stage = data ] ||
				echo 'data; expect continue; body "t\r\n"; eom'
			[ $stage = data ] && echo data)
		expect reply \"550 5.1.1 late no\""
	like "... which the line tells" "$(line)" \
		'verdict=reject by=no_rcpt .* reply="550 5.1.1 late no"'
done
played "one of two is a later: that one" 'rcpt "<no@x.test>"; rcpt "<later@x.test>"
	body "t\r\n"; eom; expect reply "450 4.2.0 late later"'
front '' 'no_rcpt;join=data;late_refusal=keep'
played "late_refusal=keep: the message passes" 'rcpt "<no@x.test>"
	rcpt "<yes@x.test>"; body "t\r\n"; eom; expect continue'
like "... and the log tells of it" "$(cat "$SEKISHO_LOG")" \
	'late refusal of a recipient, kept'
front '' 'no_rcpt;join=rcpt'
played "joining at the recipients: its no is that recipient's" \
	'rcpt "<no@x.test>"; expect reply "550 5.1.1 late no"
	rcpt "<yes@x.test>"; expect continue; body "t\r\n"; eom; expect continue'

# ---- replay at the next message, HELO told again
start_child plain ''
front '' 'plain;join=data'
played "two messages, a new HELO between them" \
	'helo "one.test"; rcpt; eom; expect continue
	helo "two.test"; rcpt; eom; expect continue'
is "the child heard the new HELO before the second MAIL" "$(heard plain)" \
	"connect helo mail rcpt data header eoh eom helo mail rcpt data header eoh eom"
like "... with its name" "$(log_since plain)" ' helo two.test$'

# ---- refused and aborted messages are not replayed
front '' above 'plain;join=eom'
played "aborted before it would join" 'rcpt; abort; mail; rcpt; abort'
is "a child that joins late never heard of it" "$(log_since plain)" ""

# ---- restarted between two messages: it joins again, nothing is lost
start_child steady ''
front '' steady above
mark
mta -s "unix:$T/front.sock" -t 20s -c 'rcpt; eom; expect continue
	wait 1500ms; mail; rcpt; eom; expect continue' &
player=$!
ok "a first message went through" wait_for 5 new_lines 1
murder child-steady
start_child steady ''
status=0
wait "$player" || status=$?
is "the child was restarted between two messages: both pass" "$status" 0
like "... through it" "$(line 2)" ' steady=continue'
is "... all of it told again" "$(sed -nE 's/^s1 (m1 )?//p' "$T/steady.log" |
	grep -cE '^(connect|helo|mail|rcpt|eom)')" 10
done_testing
