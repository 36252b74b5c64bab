#!/bin/bash
# The five cases of the talk this project began with, behind a real Postfix.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

need_peers dns postfix opendkim clamav
need_programs "$SEKISHOD" "$SEKISHO_MILTER"
make_mail
start_peer dns
start_peer opendkim --bad accept
start_peer clamav --infected Quarantine
start_child trusting 'at mail when macro {auth_authen} set do accept
	at eom do addheader "X-Trusting" "looked"'
start_child second 'at eom do addheader "X-Second" "looked"'
start_child greylist 'at rcpt when rcpt ~ "later" do reply "450 4.7.1 come back"'
start_child rewriter 'at eom do chgheader 1 "Subject" "rewritten"'

unix() { echo "$1=unix:$T/$1.sock"; }
sekisho_before auth auth "$(unix trusting)" "$(unix second)"
sekisho_before rcpt rcpt "$(unix greylist)" "$(unix second)"
sekisho_before virus virus "clamav=$(peer clamav spec)" "$(unix second)"
sekisho_before rewrite_first rewrite_first "$(unix rewriter)" \
	"opendkim=$(peer opendkim spec)"
sekisho_before verify_first verify_first "opendkim=$(peer opendkim spec)" \
	"$(unix rewriter)"
ports=(--also "sign=$(peer opendkim milter)")
for label in auth rcpt virus rewrite_first verify_first; do
	ports+=(--also "$label=inet:127.0.0.1:${!label}")
done
start_postfix "${ports[@]}"
make_signed "$(postfix_port sign)"

headers() { # of the first copy of the last message
	local copy
	copy=$(delivered "$QUEUE_IDS" | head -1)
	[ -z "$copy" ] || headers_of "$copy" "$QUEUE_IDS"
}
copies() { delivered "$QUEUE_IDS" | wc -l; }
recipients() { # who got a copy of the last message
	delivered "$QUEUE_IDS" | while read -r f; do
		sed -n 's/^Delivered-To: //p' "$f"
	done | sort | paste -sd' '
}

# ---- 1: accept at MAIL for who has authenticated ends that child, that child
# alone, for the message
send "$(postfix_port auth)" --client "$GOOD" --login anna "$T/mail/ham.eml"
like "1: an authenticated sender's message is accepted" "$REPLY_LINE" '^250 '
unlike "1: the child that accepted at MAIL is done" "$(headers)" '^X-Trusting:'
like "1: the next child looks at it all the same" "$(headers)" '^X-Second: looked'
unlike "1: it heard nothing of the message after MAIL" \
	"$(cat "$T/trusting.log")" '^s[0-9]+ m[0-9]+ (rcpt|data|header|eoh|body|eom)'
send "$(postfix_port auth)" --client "$GOOD" "$T/mail/ham.eml"
like "1: a stranger's message goes to both: the first" "$(headers)" '^X-Trusting: looked'
like "1: ... the second" "$(headers)" '^X-Second: looked'

# ---- 2: tempfail at RCPT concerns that recipient
send "$(postfix_port rcpt)" --client "$GOOD" --to now@rcpt.test \
	--to later@rcpt.test --to too@rcpt.test "$T/mail/ham.eml"
like "2: the recipient is told to come back" "$(grep '^RCPT' "$T/replies" |
	sed -n 2p)" '^RCPT 450 4\.7\.1 .*come back'
is "2: the others get the message" "$(recipients)" \
	"now@rcpt.test too@rcpt.test"
like "2: ... and it was looked at" "$(headers)" '^X-Second: looked'
send "$(postfix_port rcpt)" --client "$GOOD" --to later@rcpt.test \
	--to later2@rcpt.test "$T/mail/ham.eml"
is "2: all recipients deferred: two such replies" \
	"$(grep -c '^RCPT 450 ' "$T/replies")" 2
like "2: ... DATA is refused" "$(grep '^DATA' "$T/replies")" '^DATA (503|554) '
is "2: ... and there is no message" "$QUEUE_IDS" ""

# ---- 3: quarantine on a virus: accepted, held, not delivered
send "$(postfix_port virus)" --client "$GOOD" "$T/mail/virus.eml"
like "3: the virus is accepted" "$REPLY_LINE" '^250 .*queued'
ok "3: it lies in the hold queue" \
	test -e "$(peer postfix dir)/queue/hold/$QUEUE_IDS"
is "3: nobody got it" "$(copies)" 0
like "3: the log says why" "$(grep "$QUEUE_IDS: milter-hold" \
	"$(peer postfix log)")" 'milter-hold'
like "3: our line says quarantine" "$(grep "$QUEUE_IDS" \
	"$T/sekishod-virus.out")" 'verdict=quarantine'
send "$(postfix_port virus)" --client "$GOOD" "$T/mail/ham.eml"
is "3: a clean message is delivered" "$(copies)" 1

# ---- 4: a header added at the end of the message is delivered with it
send "$(postfix_port rcpt)" --client "$GOOD" "$T/mail/big.eml"
is "4: the header is there, once" "$(headers | grep -c '^X-Second: looked')" 1
is "4: the body is the one sent" \
	"$(body_of "$(delivered "$QUEUE_IDS")" | cksum)" \
	"$(body_of "$T/mail/big.eml" | cksum)"

# ---- 5: who rewrites Subject in front of a DKIM verifier breaks the signature
send "$(postfix_port rewrite_first)" --client "$GOOD" "$T/mail/signed.eml"
like "5: rewriter first: the signature fails" "$(headers)" \
	'^Authentication-Results:.*dkim=fail'
like "5: ... and the subject is rewritten" "$(headers)" '^Subject: rewritten'
send "$(postfix_port verify_first)" --client "$GOOD" "$T/mail/signed.eml"
like "5: verifier first: the signature passes" "$(headers)" \
	'^Authentication-Results:.*dkim=pass'
like "5: ... and the subject is rewritten" "$(headers)" '^Subject: rewritten'
done_testing
