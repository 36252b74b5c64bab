#!/bin/bash
# A child by what another one above it said or added; what cannot be told at
# the end applies.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

# ---- by the word of the child above
start_child behind 'at eom do addheader "X-Behind" "1"'
while read -r word follows script; do
	start_child "w_$word" "$script"
	front '' "w_$word;on_failure=accept" "behind;when=milter(w_$word) = $word"
	sent
	if [ "$follows" = joins ]; then
		like "$word: the child below joins" "$(cat "$T/mta.out")" \
			'"X-Behind"'
	else
		like "$word: ends it all, none joins" "$(line)" \
			'behind=skip\((not reached|condition)\)'
		is "... and none was connected to" "$(log_since behind)" ""
	fi
	[ "$word" = failed ] && expect_death "child-w_$word"
done <<'END'
continue joins at eom do addheader "X-Above" "1"
accept joins at mail do accept
failed joins at header do close
reject ends at eom do reject
tempfail ends at eom do tempfail
discard ends at eom do discard
END
start_child above 'at eom do addheader "X-Above" "yes"'
front '' 'above;when=sender = nobody@x.test' 'behind;when=milter(above) = skipped'
sent
like "skipped: the child below joins" "$(cat "$T/mta.out")" '"X-Behind"'
front '' 'above;mode=off' 'behind;when=milter(above) = none'
sent
like "switched off: none" "$(cat "$T/mta.out")|$(line)" \
	'"X-Behind"|above=skip\(off\)'

# ---- by a header
printf 'Subject: s\nX-Above: forged\nX-Twice: a\n\nbody\n' >"$T/mail.eml"
start_child adds 'at eom do addheader "X-Above" "yes"
	chgheader 1 "X-Twice" ""; chgheader 1 "Subject" "[mark] s"; continue'
while read -r joins when; do
	front '' adds "behind;when=$when"
	sent "$T/mail.eml"
	if [ "$joins" = yes ]; then
		like "joins: $when" "$(cat "$T/mta.out")" '"X-Behind"'
	else
		unlike "does not join: $when" "$(cat "$T/mta.out")" '"X-Behind"'
	fi
done <<'END'
yes header_now("X-Above") = yes
yes header_now("x-above") = forged
no header("X-Above") = yes
yes milter_header(adds, "X-Above") = yes
no milter_header(adds, "X-Above") = forged
no header_now("X-Twice")
yes header("X-Twice") = a
yes header_now("Subject") ~ /^\[mark\]/
no header("Subject") ~ /^\[mark\]/
yes milter(adds) = continue and not header_now("X-None")
END

# ---- what it sees is what those above left, also to a child that joins late
front '' adds 'behind;when=header_now("X-Above") = yes'
sent "$T/mail.eml"
is "it sees both headers" "$(header_heard behind X-Above | paste -sd' ')" \
	'"forged" "yes"'
is "... the changed subject" "$(header_heard behind Subject)" '"[mark] s"'
is "... and not the deleted one" "$(header_heard behind X-Twice)" ''

# ---- a child on a child on a child
start_child one 'at eom do addheader "X-One" "1"'
start_child two 'at eom do addheader "X-Two" "2"'
start_child three 'at eom do reply "550 5.7.1 three"'
front '' one 'two;when=header_now("X-One")' \
	'three;when=header_now("X-Two") = 2 and milter(one) = continue'
sent
is "three in a row decide one by the other" "$(mta_verdict)" reject@eom
like "... which the line tells" "$(line)" \
	'one=continue.* two=continue.* three=reject@eom'
front '' 'one;when=sender = nobody@x.test' 'two;when=header_now("X-One")' \
	'three;when=header_now("X-Two")'
sent
like "without the first none follows" "$(line)" \
	'one=skip\(condition\) two=skip\(condition\) three=skip\(condition\)'
front '' 'one;order=free' 'two;when=milter(one) = continue;order=free' \
	'three;when=milter(two) = continue;order=strict'
sent
is "in all orders" "$(mta_verdict)" reject@eom

# ---- a tempfail to an earlier recipient by one that joins at the end
start_child grey 'at rcpt when rcpt ~ "new@" do reply "450 4.7.1 later"'
front '' one 'grey;when=header_now("X-One")'
sent -r old@x.test -r new@x.test
is "joins at the end, says later to one of two: the message is" \
	"$(mta_verdict)" tempfail@eom
like "... in its words" "$(line)" 'by=grey .*reply="450 4.7.1 later"'
unlike "... and nothing of the edits is left" \
	"$(grep -o '"edits":\[[^]]*\]' "$T/mta.out")" X-One
front '' one 'grey;when=header_now("X-One");late_refusal=keep'
sent -r old@x.test -r new@x.test
is "late_refusal=keep: the message passes" "$(mta_verdict)" accept@eom

# ---- unknown at the end: a milter applies, a rule does not
evil='header("X-Evil") ~ /^(a+)+$/'
printf 'Subject: s\nX-Evil: %s!\n\nbody\n' "$(printf 'a%.0s' {1..60})" \
	>"$T/evil.eml"
front '' "behind;when=$evil" 'one;when=not '"$evil"
sent "$T/evil.eml"
like "a limit was hit: it applies" "$(cat "$T/mta.out")" '"X-Behind"'
like "... and so does its opposite" "$(cat "$T/mta.out")" '"X-One"'
sent "$T/mail.eml"
unlike "no limit, no match" "$(cat "$T/mta.out")" '"X-Behind"'
like "... its opposite applies" "$(cat "$T/mta.out")" '"X-One"'
done_testing
