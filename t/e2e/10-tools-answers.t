#!/bin/bash
# The players against each other: every answer at every stage, and what an
# MTA makes of it.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
need_programs "$SEKISHO_MTA" "$SEKISHO_MILTER"

# One child for the whole table: the sender names the stage, the helo the
# answer.
rules=
for stage in mail rcpt data header eoh body eom; do
	for answer in continue accept reject tempfail discard; do
		rules+="at $stage when sender ~ \"$stage.$answer@\" do $answer
"
	done
	rules+="at $stage when sender ~ \"$stage.y5@\" do reply \"550 5.7.1 no\"
at $stage when sender ~ \"$stage.y4@\" do reply \"451-4.7.1 not\\r\\n451 4.7.1 now\"
"
done
for stage in connect helo; do
	for answer in continue accept reject tempfail; do
		rules+="at $stage when client ~ \"$stage.$answer.\" do $answer
"
	done
	rules+="at $stage when client ~ \"$stage.y4.\" do reply \"450 4.7.1 no\"
"
done
start_child all "$rules"

verdicts() { # ANSWER: the exit status it means for a message
	case $1 in
	continue | accept) echo 0 ;;
	reject | y5) echo 10 ;;
	tempfail | y4) echo 11 ;;
	discard) echo 12 ;;
	esac
}

for stage in mail rcpt data header eoh body eom; do
	for answer in continue accept reject tempfail discard y5 y4; do
		mta -s "unix:$T/all.sock" -j --sender "$stage.$answer@x"
		is "$answer at $stage" "$MTA_STATUS" "$(verdicts $answer)"
		[ $answer = continue ] ||
			like "$answer at $stage: it is told where" \
				"$(cat "$T/mta.out")" "\"stage\":\"$stage\""
	done
done
for stage in connect helo; do
	for answer in continue accept reject tempfail y4; do
		mta -s "unix:$T/all.sock" -n 2 -j \
			--client "$stage.$answer.example.org[192.0.2.7]"
		is "$answer at $stage" "$MTA_STATUS" "$(verdicts $answer)"
		is "$answer at $stage: for both messages" \
			"$(lines_of '"verdict":"' "$T/mta.out")" 2
	done
done
mta -s "unix:$T/all.sock" -j --sender mail.y4@x
like "a reply of two lines is told whole" "$(cat "$T/mta.out")" \
	'"reply":"451-4.7.1 not\\u000d\\u000a451 4.7.1 now"'
stop_child all

# ---- recipients have fates of their own
start_child rcpt 'at rcpt when rcpt ~ "no@" do reply "550 5.1.1 no such user"
at rcpt when rcpt ~ "later@" do tempfail
at rcpt when rcpt ~ "enough@" do accept'
mta -s "unix:$T/rcpt.sock" -r no@x -r yes@x -r later@x
is "one recipient is left: the message passes" "$MTA_STATUS" 0
like "the refused one is told of" "$(cat "$T/mta.out")" \
	'to +<no@x> rejected "550 5.1.1 no such user"'
like "the deferred one too" "$(cat "$T/mta.out")" 'to +<later@x> tempfailed'
like "and who gets it" "$(cat "$T/mta.out")" 'to +<yes@x> accepted'
mta -s "unix:$T/rcpt.sock" -r no@x -r later@x
is "nobody is left: deferred when one of them is" "$MTA_STATUS" 11
unlike "there was no data then" "$(tail -n 6 "$T/rcpt.log")" ' m1 data'
mta -s "unix:$T/rcpt.sock" -r no@x
is "nobody is left: refused when all are" "$MTA_STATUS" 10
mta -s "unix:$T/rcpt.sock" -r enough@x -r no@x
is "accept at a recipient is for the message" "$MTA_STATUS" 0
like "the next recipient is not asked about" "$(cat "$T/mta.out")" \
	'to +<no@x> accepted'
mta -s "unix:$T/rcpt.sock" --pipeline -r no@x -r yes@x -r later@x
is "all recipients at once" "$MTA_STATUS" 0
like "each has its own answer" "$(paste -sd' ' "$T/mta.out")" \
	'<no@x> rejected .*<yes@x> accepted .*<later@x> tempfailed'
stop_child rcpt

# ---- bits: what is not wanted is not sent, what is not owed is not awaited
start_child bits 'option protocol noconnect nohelo nomail nr_rcpt nodata nr_hdr noeoh nr_body
at rcpt do reject
at eom do accept'
mta -s "unix:$T/bits.sock" -j
is "an answer promised away is not given" "$MTA_STATUS" 0
unlike "unwanted commands are not sent" "$(cat "$T/bits.log")" \
	'^s1 (m1 )?(connect|helo|mail|data|eoh)( |$)'
like "those without an answer are" "$(cat "$T/bits.log")" '^s1 (m[01] )?rcpt '
like "macros come for unwanted commands too" "$(cat "$T/bits.log")" \
	'^s1 macro connect j='
stop_child bits
start_child skip 'at body 2 do skip'
head -c 1000 /dev/zero | tr '\0' x >"$T/body"
{ printf 'Subject: x\n\n' && fold -w 70 "$T/body"; } >"$T/long.eml"
mta -s "unix:$T/skip.sock" --chunk 100 "$T/long.eml"
is "skip is obeyed" "$MTA_STATUS:$(lines_of "^s1 m1 body " "$T/skip.log")" "0:2"
stop_child skip

# ---- macros by request
start_child lists 'option macros mail "i {mail_addr}"; option macros eom "i"
option macros eoh "i {nowhere}"
at mail when macro {mail_addr} = anna@x do accept'
mta -s "unix:$T/lists.sock" --sender anna@x --macro mail:{auth_type}=PLAIN
is "a macro that was asked for" "$MTA_STATUS" 0
like "no other is sent" "$(cat "$T/lists.log")" \
	'^s1 macro mail \{mail_addr\}=anna@x$'
stop_child lists
start_child auth 'at mail when macro {auth_authen} = alice do accept
at mail do reject'
ok "a macro of the user's own" mta -s "unix:$T/auth.sock" \
	--macro 'mail:{auth_authen}=alice'
mta -s "unix:$T/auth.sock" --macro 'mail:{auth_authen}=bob'
is "another value of it" "$MTA_STATUS" 10
mta -s "unix:$T/auth.sock" --habits sendmail --macro 'mail:{auth_authen}=alice'
is "the same from a Sendmail" "$MTA_STATUS" 0
unlike "which has no version macro" "$(grep '^s3 ' "$T/auth.log")" ' v='
like "as Postfix has" "$(grep '^s1 ' "$T/auth.log")" ' v="Postfix '
stop_child auth

# ---- leading space
printf 'A: one\nB:none\nC:  two\nD:\ttab\nE: fold\n  ed\n\nx\n' >"$T/space.eml"
start_child plain 'at eom do continue'
mta -s "unix:$T/plain.sock" "$T/space.eml"
is "one blank is eaten" \
	"$(sed -n 's/^s1 m1 header //p' "$T/plain.log" | paste -sd,)" \
	'A "one",B "none",C " two",D "\ttab",E "fold\n  ed"'
stop_child plain
start_child exact 'option protocol leadspc'
mta -s "unix:$T/exact.sock" "$T/space.eml"
is "or none, when it asks for that" \
	"$(sed -n 's/^s1 m1 header //p' "$T/exact.log" | paste -sd,)" \
	'A " one",B "none",C "  two",D "\ttab",E " fold\n  ed"'
stop_child exact
done_testing
