#!/bin/bash
# The players with real partners: a signer and a virus scanner in front of the
# one, Postfix in front of the other.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

need_peers dns postfix opendkim clamav
need_programs "$SEKISHO_MTA" "$SEKISHO_MILTER"
make_mail
start_peer dns
start_peer opendkim
start_peer clamav
dkim=$(peer opendkim spec)
clam=$(peer clamav spec)

# ---- sekisho-mta and opendkim
sign=(-s "$dkim" --client 'c.sender.test[192.0.2.10]' --sender anna@sender.test)
check=(-s "$dkim" --client 'c.sender.test[192.0.2.7]' --sender anna@sender.test)
for habits in postfix sendmail; do
	ok "$habits: opendkim signs" mta "${sign[@]}" --habits $habits \
		-o "$T/signed.eml" "$T/mail/folded.eml"
	like "$habits: on top of the message" "$(head -n 1 "$T/signed.eml")" \
		'^DKIM-Signature: v=1'
	ok "$habits: opendkim verifies" mta "${check[@]}" --habits $habits \
		-o "$T/verified.eml" "$T/signed.eml"
	like "$habits: what was signed comes through unhurt" \
		"$(head -n 3 "$T/verified.eml")" 'dkim=pass'
done
sed 's/Folded above/Folded below/' "$T/signed.eml" >"$T/broken.eml"
mta "${check[@]}" -o "$T/verified.eml" "$T/broken.eml"
is "a signature that is broken is refused" "$MTA_STATUS" 10
like "in opendkim's words" "$(cat "$T/mta.out")" 'reply "550 5\.7\.0'
ok "a larger one" mta "${sign[@]}" -o "$T/signed.eml" "$T/mail/big.eml"
ok "comes through too" mta "${check[@]}" -o "$T/verified.eml" "$T/signed.eml"
like "with all its chunks" "$(head -n 3 "$T/verified.eml")" 'dkim=pass'
mta "${sign[@]}" --sessions 20 --parallel 5 -n 2 -q "$T/mail/ham.eml"
is "many sessions" "$MTA_STATUS" 0
like "and no failure" "$(cat "$T/mta.out")" 'accept 40,.* failures 0'
for version in 2 3 4 6; do
	mta "${sign[@]}" -j --offer-version $version "$T/mail/ham.eml"
	# Signing needs bits that came late; without them it hangs up.
	like "an MTA of version $version" "$MTA_STATUS" '^(0|20)$'
done

# ---- sekisho-mta and clamav-milter
mta -s "$clam" "$T/mail/virus.eml"
is "clamav-milter refuses a virus" "$MTA_STATUS" 10
ok "and nothing else" mta -s "$clam" -o "$T/clean.eml" "$T/mail/ham.eml"
mta -s "$clam" -c 'mail; abort; mail; rcpt; eom; expect accept; unknown X'
is "a session with detours" "$MTA_STATUS" 0

# ---- sekisho-milter and Postfix, and sekisho-mta's edits against Postfix's
edits=(
	'addheader X-New "one"'
	'addheader X-Dup "three"'
	'insheader 0 X-Top "t"'
	'insheader 1 X-Below "t"; insheader 3 X-Third "t"; insheader 99 X-End "e"'
	'chgheader 1 X-Dup ""; chgheader 1 X-Dup "was two"'
	'chgheader 2 x-dup "spelled"; chgheader 9 X-Dup "more"'
	'chgheader 1 Subject "one\n\ttwo"; chgheader 1 X-Dup ""; chgheader 1 X-Dup ""'
	'insheader 0 X-Dup "top"; chgheader 1 X-Dup "changed"'
	'addheader X-Empty ""; replbody "new\r\n.dot\r\n"; addheader X-After "a"'
)
rules=
for i in "${!edits[@]}"; do
	rules+="at eom when sender ~ \"edit$i@\" do ${edits[i]}
"
done
start_child edits "$rules
at rcpt when rcpt ~ no@ do reply \"550-5.7.1 not\\r\\n550 5.7.1 here\"
at eom when sender ~ \"rcpt@\" do addrcpt \"<more@rcpt.test>\"; delrcpt \"<ben@rcpt.test>\"
at eom when sender ~ \"discard@\" do discard"
start_postfix --milters "unix:$T/edits.sock"
port=$(peer postfix port)

# What the MTAs themselves put in is left out.
visible() { # FILE
	tr -d '\r' <"$1" | sed '/^$/q' |
		awk '/^[ \t]/ { if (!own) print; next }
			{ own = /^(Received|Return-Path|Delivered-To|X-Original-To):/ }
			!own { print }'
	tr -d '\r' <"$1" | sed '1,/^$/d'
}
for i in "${!edits[@]}"; do
	mta -s "unix:$T/edits.sock" --sender "edit$i@sender.test" \
		-o "$T/played.eml" "$T/mail/eightbit.eml"
	send "$port" --from "edit$i@sender.test" "$T/mail/eightbit.eml"
	is "as Postfix does it: ${edits[i]}" "$(visible "$T/played.eml")" \
		"$(visible "$(delivered "$QUEUE_IDS" | head -n 1)")"
done
send "$port" --from a@sender.test --to no@rcpt.test --to ben@rcpt.test \
	"$T/mail/ham.eml"
like "a reply of two lines reaches the client" "$(grep ^RCPT "$T/replies" |
	paste -sd/)" '550.5\.7\.1 not.*550 5\.7\.1 here'
send "$port" --from rcpt@sender.test --to ben@rcpt.test "$T/mail/ham.eml"
is "recipients are changed" "$(for f in $(delivered "$QUEUE_IDS"); do
	sed -n 's/^Delivered-To: //p' "$f"; done | paste -sd' ')" more@rcpt.test
send "$port" --from discard@sender.test "$T/mail/ham.eml"
is "a discarded message goes nowhere" "$(delivered "$QUEUE_IDS" | wc -l)" 0
like "the record knows Postfix" "$(cat "$T/edits.log")" \
	'^s[0-9]+ macro connect .*v="Postfix '
done_testing
