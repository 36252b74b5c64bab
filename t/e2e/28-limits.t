#!/bin/bash
# What a sender can reach, what children can ask for: limits, quarantine, and
# how far an ACCEPT, a DISCARD or a SKIP goes.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

ALL="connect helo mail rcpt data header eoh body eom"
FINE='mail; rcpt; body "t\r\n"; eom; expect continue'
TOO_LARGE='eom; expect reply "552 5.3.4 *"'
start_child plain ''
start_child adder 'at eom do addheader "X-Added" "1"'

# ---- limits
several() { # NUMBER STATEMENT: so many times, %d in it counts
	local i
	for ((i = 1; i <= $1; i++)); do
		# shellcheck disable=SC2059 # the statement is the format
		printf "$2\n" "$i"
	done
}
front 'headers_max=100' adder plain
played "as many headers as allowed" \
	"$(several 100 'header "X-H" "%d"'); eom; expect continue"
played "one header more: 552 at the end of the message" \
	"$(several 101 'header "X-H" "%d"'); $TOO_LARGE; $FINE"
like "... with its line" "$(line 1)" 'verdict=reject by=sekisho stage=eom reply="552 5.3.4'
like "... and the next message is fine" "$(line 2)" 'verdict=accept'

front 'headers_size_max=64k' adder plain
big=$(printf 'x%.0s' {1..40000})
played "headers too large: 552" "header \"X-A\" \"$big\"; header \"X-B\" \"$big\"
	$TOO_LARGE; $FINE"
front 'message_memory=64k;message_max=200k' adder plain
big=$(printf 'x%.0s' {1..60000})
played "a body above message_max: 552" "body \"$big\" 4; $TOO_LARGE; $FINE"
is "... and no child is asked for its verdict on it" \
	"$(heard adder | grep -o eom | wc -l)" 1
played "a body below it, kept in the spool: accepted" \
	"body \"$big\" 3; eom; expect continue"
like "... and shown whole" "$(log_since plain)" ' eom body=180000 '
is "nothing stays in the spool" "$(ls -A "$T/spool")" ""

front 'recipients_max=100' adder plain
played "more recipients than allowed: 452 for each of those" \
	"$(several 100 'rcpt "<r%d@x>"; expect continue')
	rcpt \"<more@x>\"; expect reply \"452 4.5.3 *\"; rcpt \"<most@x>\"
	expect reply \"452 4.5.3 *\"; body \"t\\r\\n\"; eom; expect continue"
like "the others get the message" "$(line)" ' nrcpt=100 .* verdict=accept'
is "children never hear of what is too much" "$(heard_rcpts plain)" \
	"$(several 100 'r%d@x' | paste -sd' ')"

front '' 'adder;on_failure=tempfail' plain
many=$(for ((i = 0; i < 1001; i++)); do echo 'addheader "X-N" "1";'; done)
start_child greedy "at eom do $many continue"
front '' greedy
sent
is "a child with 1001 edits has failed" "$MTA_STATUS" 11
start_child loud "at eom do addheader \"X-L\" \"$(printf 'v%.0s' {1..64001})\""
front '' loud
sent
is "a child with too large a value has failed" "$MTA_STATUS" 11
start_child swelling 'at eom do replbody "0123456789" 30000'
front 'message_memory=64k;message_max=200k' swelling
sent
is "a child with too large a body has failed" "$MTA_STATUS" 11

# ---- quarantine
start_child q1 'at eom do quarantine "the first"; addheader "X-Q1" "1"'
start_child q2 'at eom do quarantine "the second"'
front '' q1 plain q2
sent
is "two quarantines: held" "$MTA_STATUS" 13
like "... with both reasons" "$(cat "$T/mta.out")" \
	'"quarantine":"the first[^"]*the second"'
is "... and it is one request" \
	"$(grep -o '"edit":"quarantine"' "$T/mta.out" | wc -l)" 1
like "... with the edits" "$(cat "$T/mta.out")" 'X-Q1'
is "... and the chain went on" "$(heard plain)" "$ALL"
like "... as the line says" "$(line)" 'verdict=quarantine quarantine="the first.*the second"'
start_child no 'at eom do reject'
front '' q1 no
sent
is "a later no wins" "$MTA_STATUS" 10
unlike "... and nothing is held" "$(cat "$T/mta.out")" '"edit":'
start_child bin 'at eom do discard'
front '' q1 bin
sent
is "a later discard wins" "$MTA_STATUS" 12
front '' q1
sent --offer-actions 0x1df
is "an MTA that has no quarantine: tempfail" "$MTA_STATUS" 11

# ---- how far an ACCEPT goes
TWO="$FINE; $FINE"
while IFS='|' read -r name script first; do
	start_child "$name" "$script"
	front '' "$name" plain
	played "$name: two messages pass" "$TWO"
	is "$name: what it heard" "$(heard "$name")" "$first"
	is "$name: the other child heard all of both" "$(heard plain)" \
		"$ALL ${ALL#connect helo }"
done <<'E2'
accept_connect|at connect do accept|connect
accept_helo|at helo do accept|connect helo
accept_mail|at mail do accept|connect helo mail mail
accept_rcpt|at rcpt do accept|connect helo mail rcpt mail rcpt
accept_data|at data do accept|connect helo mail rcpt data mail rcpt data
E2
start_child accept_eom 'at eom do addheader "X-Ok" "1"; accept'
front '' accept_eom plain
sent
like "accept at the end: its edits are kept" "$(cat "$T/mta.out")" 'X-Ok'
is "... and those below are asked" "$(heard plain)" "$ALL"
start_child accept_unknown 'at unknown do accept'
front '' accept_unknown plain
played "accept to an unknown command is continue" \
	"unknown \"FOO\"; expect continue; $FINE"
is "... the child stays in" "$(heard accept_unknown)" \
	"connect helo unknown mail rcpt data header eoh body eom"

# ---- DISCARD
start_child bin_connect 'at connect do discard'
start_child bin_helo 'at helo do discard'
front '' bin_connect bin_helo plain
played "discard at connect or helo is no answer: continue" "$FINE"
like "... logged" "$(cat "$SEKISHO_LOG")" 'bin_connect": discard at connect'
for stage in mail rcpt data header eoh body eom; do
	start_child "bin_$stage" "at $stage do discard"
	front '' "bin_$stage" plain
	sent
	is "discard at $stage: the message" "$MTA_STATUS" 12
	like "... with its line" "$(line)" "verdict=discard by=bin_$stage stage=$stage"
done

# ---- SKIP
start_child skipper 'option protocol skip; at body do skip'
front '' skipper plain
big=$(printf 'x%.0s' {1..60000})
played "skip at the body" "body \"$big\" 5; eom; expect continue"
is "... is honoured: one chunk" "$(log_since skipper | grep -c ' body [0-9]')" 1
like "... the next child gets all" "$(log_since plain)" ' eom body=300000 '
start_child skip_mail 'option protocol skip; at mail do skip'
front '' skip_mail
sent
is "skip at MAIL is a failure" "$MTA_STATUS" 11

# ---- a no to the connection
start_child no_connect 'at connect do reply "554 5.7.1 go away"'
front '' no_connect plain
played "a no at connect is repeated to every command" \
	'connect; expect reply "554 5.7.1 go away"; helo
	expect reply "554 5.7.1 go away"; mail; expect reply "554 5.7.1 go away"
	unknown "FOO"; expect reply "554 *"'
like "... and nobody is asked any more" "$(heard plain)" '^(connect)?$'
start_child no_helo 'at helo do tempfail'
front '' no_helo plain
played "a no at helo too" 'helo; expect tempfail; mail; expect tempfail
	helo "again"; expect tempfail'
start_child no_unknown 'at unknown do reply "502 5.5.1 not here"'
front '' no_unknown plain
played "a no to an unknown command is for that command" \
	"unknown \"FOO\"; expect reply \"502 5.5.1 not here\"; $FINE"
done_testing
