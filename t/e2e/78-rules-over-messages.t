#!/bin/bash
# What rules said about one message is gone with it, whatever comes next: a
# worker once crashed at the HELO behind a quarantined message.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

start_child one ''
front '' one
cat >>"$T/front.conf" <<'X'
[rule big]
when = size > 100K
action = quarantine big
action = header X-Big: yes
action = macro {big}=yes
[rule greeted]
when = helo = again.test
action = log greeted again
X
SEKISHOD_LABEL=sekishod-1 stop_sekishod
SEKISHOD_LABEL=sekishod-2 start_sekishod "$T/front.conf"
ok "it listens" wait_for 10 unix_listens "$T/front.sock"
{
	printf 'Subject: big\r\n\r\n'
	head -c 300000 /dev/zero | tr '\0' 'x' | fold -w 70
} >"$T/big.eml"
printf 'Subject: small\r\n\r\nhello\r\n' >"$T/small.eml"
for round in 1 2 3; do
	sent --helo-twice -n 3 "$T/big.eml"
	is "round $round: big ones are held" "$MTA_STATUS" 13
	sent --helo-twice "$T/big.eml" "$T/small.eml" "$T/big.eml"
	like "... the small one between them is not" \
		"$(grep ' verdict=' "$SEKISHO_LOG" | tail -2 | head -1)" \
		'verdict=accept edits=0'
done
is "no worker died" "$(grep -c ' ended by signal' "$SEKISHO_LOG")" 0
done_testing
