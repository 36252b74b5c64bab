#!/bin/bash
# A real scanner, and only for what is small enough to be worth it: Postfix and
# spamass-milter.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

need_peers postfix spamass
need_programs "$SEKISHOD"
make_mail
start_peer spamass
port= # set by sekisho_before
sekisho_before size port "spamass=$(peer spamass spec);when = size < 10K"
LOGGED=$T/sekishod-size.out
start_postfix --also via="inet:127.0.0.1:$port"
smtp=$(postfix_port via)
{
	echo "$GTUBE"
	awk 'BEGIN { for (i = 0; i < 400; i++)
		printf "line %05d of a body that is larger than that ....\n", i }'
} | eml bigspam 'buy now, in many words'
word() { grep ' verdict=' "$LOGGED" | tail -1 | grep -o 'spamass=[a-z()]*'; }

send "$smtp" --client "$GOOD" "$T/mail/ham.eml"
like "a small message is scanned, and passes" "$REPLY_LINE" '^250 '
is "... which the line tells" "$(word)" "spamass=continue"
like "... with the scanner's header" \
	"$(headers_of "$(delivered "$QUEUE_IDS")" "$QUEUE_IDS")" '^X-Spam-'
send "$smtp" --client "$GOOD" "$T/mail/spam.eml"
like "small spam is refused" "$REPLY_LINE" '^5'
is "... by the scanner" "$(word)" "spamass=reject"
send "$smtp" --client "$GOOD" "$T/mail/bigspam.eml"
like "large spam is not looked at" "$REPLY_LINE" '^250 '
is "... which the line tells" "$(word)" "spamass=skip(condition)"
unlike "... and has no header of the scanner" \
	"$(headers_of "$(delivered "$QUEUE_IDS")" "$QUEUE_IDS")" '^X-Spam-'
done_testing
