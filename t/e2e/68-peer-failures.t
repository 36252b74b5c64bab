#!/bin/bash
# Real milters that hang, go away and come back: what their policy says, in
# time, and nothing else.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

need_peers dns postfix opendkim clamav
need_programs "$SEKISHOD"
make_mail
start_peer dns
start_peer opendkim
start_peer clamav
dkim=$(peer opendkim spec) clam=$(peer clamav spec)
limits="timeout_command=2s;timeout_eom=3s;breaker_failures=0"
tempfail= accept= # set by sekisho_before
sekisho_before tempfail tempfail "opendkim=$dkim" "clamav=$clam;$limits"
sekisho_before accept accept "clamav=$clam;$limits;on_failure=accept" \
	"opendkim=$dkim"
start_postfix --also tempfail="inet:127.0.0.1:$tempfail" \
	--also accept="inet:127.0.0.1:$accept"

# One message from the host opendkim signs for; sets REPLY_LINE and HEADERS.
ham() { # LABEL
	local copy
	send "$(postfix_port "$1")" --client "$INSIDE" "$T/mail/ham.eml"
	copy=$(delivered "${QUEUE_IDS:-none}" | head -1)
	HEADERS=$([ -z "$copy" ] || headers_of "$copy" "$QUEUE_IDS")
}
pid_of() { # INSTANCE LABEL
	awk -v l="$2" '$3 == l { print $1 }' "$PEERS_DIR/$1/pids"
}
seconds() { # COMMAND...: how long it took, whole seconds
	local begin=$SECONDS
	"$@"
	TOOK=$((SECONDS - begin))
}

ham tempfail
like "all is well: delivered" "$REPLY_LINE" '^250 '
like "... scanned" "$HEADERS" '^X-Virus-Status: Clean'
like "... and signed" "$HEADERS" '^DKIM-Signature:'

# A milter that hangs.
kill -STOP "$(pid_of clamav clamav-milter)"
seconds ham tempfail
like "a hanging child with tempfail: 451" "$REPLY_LINE" '^451 '
is "... nothing is delivered" "$QUEUE_IDS" ""
ok "... within its own time ($TOOK s)" test "$TOOK" -le 45
seconds ham accept
like "a hanging child with accept: 250" "$REPLY_LINE" '^250 '
unlike "... without its header" "$HEADERS" '^X-Virus-Status:'
like "... the next child did its work" "$HEADERS" '^DKIM-Signature:'
ok "... within its own time ($TOOK s)" test "$TOOK" -le 45
kill -CONT "$(pid_of clamav clamav-milter)"
ham tempfail
like "it goes on: delivered" "$REPLY_LINE" '^250 '
like "... scanned" "$HEADERS" '^X-Virus-Status: Clean'

# A milter whose back end is gone answers 451 itself: that is an answer.
kill "$(pid_of clamav clamd)"
gone() { [ ! -d "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"; }
ok "clamd ends" wait_for 10 gone "$(pid_of clamav clamd)"
ham accept
like "a dead back end: the milter's own 451, whatever the policy" \
	"$REPLY_LINE" '^45[01] '

# A milter that is gone, and comes back.
peers stop clamav >/dev/null 2>&1
ham tempfail
like "no child there, tempfail: 451" "$REPLY_LINE" '^451 '
ham accept
like "no child there, accept: 250" "$REPLY_LINE" '^250 '
like "... the other did its work" "$HEADERS" '^DKIM-Signature:'
start_peer clamav --port "$(sed 's/inet:\([0-9]*\)@.*/\1/' <<<"$clam")"
ham tempfail
like "back again: delivered" "$REPLY_LINE" '^250 '
like "... scanned" "$HEADERS" '^X-Virus-Status: Clean'
is "every message has its line" \
	"$(cat "$T"/sekishod-*.out | grep -c 'verdict=\(accept\|tempfail\)')" 8
like "what passed without is in the log" "$(cat "$T/sekishod-accept.out")" \
	'passed_without=clamav'
done_testing
