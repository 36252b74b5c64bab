#!/bin/bash
# Five real milters (those that refuse nothing before the message is there)
# with scanners asked side by side, and with children that join late and hear
# the message by replay: the outcome stays what Postfix gets from the same
# milters one after the other.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

need_peers dns postfix opendkim opendmarc spamass clamav rspamd
need_programs "$SEKISHOD"
make_mail
start_peer dns
direct=
for p in opendkim opendmarc spamass clamav rspamd; do
	start_peer "$p"
	direct="$direct $(peer "$p" milter)"
done
with() { # NAME [SETTINGS]: one child's line for sekisho_before
	echo "$1=$(peer "$1" spec)${2:+;$2}"
}
free= late= strict= # set by sekisho_before
sekisho_before free free "$(with opendkim)" "$(with opendmarc)" \
	"$(with spamass order=free)" "$(with clamav order=free)" \
	"$(with rspamd)"
sekisho_before late late "$(with opendkim join=data)" \
	"$(with opendmarc join=header)" "$(with spamass join=eoh)" \
	"$(with clamav join=body)" "$(with rspamd join=eom)"
sekisho_before strict strict "$(with opendkim order=strict)" \
	"$(with opendmarc order=strict)" "$(with spamass order=strict)" \
	"$(with clamav order=strict)" "$(with rspamd order=strict)"
args=(--also "sign=$(peer opendkim milter)")
for l in free late strict; do
	args+=(--also "direct_$l=$direct" --also "via_$l=inet:127.0.0.1:${!l}")
done
start_postfix "${args[@]}"
make_signed "$(postfix_port sign)"
for l in free late strict; do
	for m in ham spam virus folded big rspamd-subject signed broken; do
		same_both_ways "$l: $m" "$l" --client "$GOOD" "$T/mail/$m.eml"
	done
	same_both_ways "$l: three messages in a session" "$l" \
		--client "$GOOD" --to a@rcpt.test --to c@rcpt.test \
		"$T/mail/ham.eml" "$T/mail/virus.eml" "$T/mail/signed.eml"
done
done_testing
