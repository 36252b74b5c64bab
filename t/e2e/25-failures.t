#!/bin/bash
# A child that fails at any stage becomes the answer its policy names: for the
# message, for all of it, and no further.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

start_child above ''
start_child below 'at eom do addheader "X-Below" "1"'

# ---- every policy at every stage.  One child per stage, one sekishod per
# policy on a socket of its own: a message that meets the child of the stage.
stages="optneg connect helo mail rcpt data header eoh body eom"
for stage in $stages; do
	start_child "f$stage" "at $stage do garbage 000000017a
		at quit do silence"
done
declare -A STATUS_OF=([tempfail]=11 [accept]=0 [reject]=10 [discard]=12
	[quarantine]=13)
for policy in tempfail accept reject discard quarantine; do
	for stage in $stages; do
		front '' above "f$stage;on_failure=$policy" below
		sent
		is "$policy: a failure at $stage" "$MTA_STATUS" \
			"${STATUS_OF[$policy]}"
		at=$stage
		case $stage in
		optneg | connect | helo) at="($stage|mail)" ;;
		header | eoh | body) at="($stage|eom)" ;;
		esac
		l=$(line)
		case $policy,$stage in
		tempfail,rcpt | reject,rcpt)
			# The only recipient is refused; the MTA gives up.
			like "... the line" "$l" "f$stage=failed\(protocol\)@rcpt.* verdict=abort" ;;
		accept,*)
			like "... the line" "$l" "f$stage=failed\(protocol\)@$at.* passed_without=f$stage verdict=accept edits=1" ;;
		quarantine,*)
			like "... the line" "$l" "f$stage=failed\(protocol\)@$at.* verdict=quarantine quarantine=\"f$stage failed\" edits=2" ;;
		*)
			like "... the line" "$l" "f$stage=failed\(protocol\)@.* verdict=$policy by=f$stage " ;;
		esac
	done
done

# ---- other ways to fail, once each
while IFS='|' read -r name script kind; do
	start_child "$name" "$script"
	front '' "$name;timeout_command=300ms;timeout_eom=400ms;timeout_connect=300ms"
	sent
	like "$name is a failure" "$(line)" " $name=failed\($kind\)@"
	is "... with its policy's answer" "$MTA_STATUS" 11
done <<'E2'
closes|at mail do close|[a-z]+
closes_at_eom|at eom do close|[a-z]+
shuts_down|at eom do shutdown|protocol
conn_fail|at data do conn_fail|protocol
silent|at mail do silence|timeout
silent_at_eom|at eom do silence|timeout
silent_at_optneg|at optneg do silence|[a-z]+
edits_early|at body do addheader "X-A" "1"|protocol
edits_unasked|option actions addhdrs; at eom do chgheader 1 "Subject" "x"|protocol
bad_name|at eom do addheader "X: A" "1"|protocol
empty_name|at eom do addheader "" "1"|protocol
nul_value|at eom do addheader "X-A" "a\0b"|protocol
bad_address|at eom do addrcpt "<a@b\r\nc>"|protocol
bad_code|at eom do reply "250 2.0.0 fine"|protocol
huge|at mail do garbage 7fffffff63|protocol
zero|at mail do garbage 0000000063|protocol
too_much|at mail do continue; continue|protocol
half|at mail do garbage 0000; close|[a-z]+
E2

# Nothing is delivered of a child's edits when it fails after them.
start_child half_done 'at eom do addheader "X-Half" "1"; garbage 000000017a'
front '' 'half_done;on_failure=accept' below
sent
is "edits before a failure: the message passes" "$MTA_STATUS" 0
unlike "... without them" "$(cat "$T/mta.out")" 'X-Half'
like "... with those of others" "$(cat "$T/mta.out")" 'X-Below'

# ---- the policy sticks to the message, and to the message alone
start_child once 'at rcpt 1 when session 1 do garbage 000000017a'
front '' once below
played "sticky: tempfail for every later recipient, and the next message is fine" \
	'rcpt "<a@x.test>"; expect tempfail; rcpt "<b@x.test>"; expect tempfail
	data; expect tempfail; abort
	mail; expect continue; rcpt; expect continue; body "t\r\n"; eom; expect continue'
is "sticky: the child was opened anew at the next MAIL" \
	"$(log_since once | grep -c ' open$')" 2
like "sticky: the next message went through it" "$(line 2)" \
	' once=continue.* verdict=accept'
start_child first_time 'at connect when session 1 do garbage 000000017a
	at eom do addheader "X-First" "1"'
front '' first_time below
sent
is "a failure at connect is settled at MAIL, by joining once more" \
	"$MTA_STATUS" 0
like "... with the child's work" "$(cat "$T/mta.out")" 'X-First'
like "... and no failure of the message" "$(line)" ' first_time=continue'

# ---- a child that is not there, and comes
rm -f "$T/absent.sock"
front '' 'absent;on_failure=reject' below
played "no child there: the policy, at each MAIL" \
	'mail; expect reject; mail; expect reject'
like "... in the first line" "$(line 1)" 'absent=failed\(connect\)@mail'
like "... in the second" "$(line 2)" 'absent=failed\(connect\)@mail'
start_child absent ''
played "the child is there now" 'rcpt; body "t\r\n"; eom; expect continue'

# ---- quarantine that the MTA does not know is a tempfail
front '' 'feom;on_failure=quarantine' below
sent --offer-actions 0x1df
is "quarantine without QUARANTINE offered" "$MTA_STATUS" 11
done_testing
