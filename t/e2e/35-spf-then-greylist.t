#!/bin/bash
# May greylisting depend on what an SPF filter found?  Yes: by the header that
# it adds, and then at the end of the message.  Postfix, pyspf-milter, and a
# child that says "later" to every recipient.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

need_peers dns postfix pyspf
need_programs
make_mail
ham=$T/mail/ham.eml
start_peer dns
start_peer pyspf
start_child grey 'at rcpt do reply "450 4.7.1 come back later"'
start_child last ''
port= # set by sekisho_before
sekisho_before spf port "pyspf=$(peer pyspf spec)" \
	"greylist=unix:$T/grey.sock;when = \
header_now(\"Authentication-Results\") ~ /spf=softfail/" \
	"last=unix:$T/last.sock;when = milter(greylist) = skipped"
LOGGED=$T/sekishod-spf.out
start_postfix --also via="inet:127.0.0.1:$port"
smtp=$(postfix_port via)
last_line() { grep ' verdict=' "$LOGGED" | tail -1; }

send "$smtp" --client "$BAD" --from x@soft.test --to a@rcpt.test \
	--to b@rcpt.test "$ham"
is "softfail: each recipient was let pass" \
	"$(grep -c '^RCPT 250' "$T/replies")" 2
is "... and the message is told to come later, at its end" "$REPLY_LINE" \
	"450 4.7.1 come back later"
like "... which was the greylist's word" "$(last_line)" \
	'pyspf=continue.* greylist=.*refused=2.* verdict=tempfail by=greylist'
like "... and the one below was not asked" "$(last_line)" 'last=skip'
is "the child heard both recipients" \
	"$(lines_of '^s1 m1 rcpt ' "$T/grey.log")" 2

opens=$(lines_of ' open' "$T/grey.log")
send "$smtp" --client "$GOOD" "$ham"
like "SPF passes: accepted" "$REPLY_LINE" '^250 .*queued as'
id=$QUEUE_IDS
like "... the header the condition looked at is delivered" \
	"$(headers_of "$(delivered "$id")" "$id")" \
	'^Authentication-Results: .*spf=pass'
send "$smtp" --client "$BAD" --from x@nospf.test "$ham"
like "no SPF record: accepted" "$REPLY_LINE" '^250 .*queued as'
is "... and the child was connected to for none of them" \
	"$(lines_of ' open' "$T/grey.log")" "$opens"
like "... which the line tells" "$(last_line)" \
	'greylist=skip\(condition\) last=continue'

# ---- who writes such a header oneself does not get around it
echo 'Forged.' | eml forged 'a forged result' \
	'Authentication-Results: mx.rcpt.test; spf=pass'
send "$smtp" --client "$BAD" --from x@soft.test "$T/mail/forged.eml"
is "a forged header of another result changes nothing" "$REPLY_LINE" \
	"450 4.7.1 come back later"
done_testing
