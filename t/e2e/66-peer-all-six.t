#!/bin/bash
# Six real milters in one chain, where each sees what those before it did:
# the same outcome as in the same order in smtpd_milters.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

SIX="pyspf opendkim opendmarc spamass clamav rspamd"
# shellcheck disable=SC2086 # a list of names
need_peers dns postfix $SIX
need_programs "$SEKISHOD"
make_mail
start_peer dns
children=() direct=
for p in $SIX; do
	start_peer "$p"
	children+=("$p=$(peer "$p" spec)")
	direct="$direct $(peer "$p" milter)"
done
sekisho_before six port "${children[@]}"
start_postfix --also sign="$(peer opendkim milter)" \
	--also direct_six="$direct" --also via_six="inet:127.0.0.1:$port"
make_signed "$(postfix_port sign)"
whole_set six
done_testing
