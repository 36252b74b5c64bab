#!/bin/bash
# What the product is bought for: greylisting only for clients whose name looks
# suspicious and who have not logged in.  A real Postfix in front; XCLIENT says
# who the client is.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

need_peers postfix
need_programs
make_mail
ham=$T/mail/ham.eml
echo "203.0.113.64/26  branch offices" >"$T/networks"
echo ".friend.test" >"$T/allow"
start_child grey 'at rcpt do reply "450 4.7.1 come back later"'
port= # set by sekisho_before
sekisho_before grey port "greylist=unix:$T/grey.sock;when = s25r
  and not authenticated and not client_addr in local_networks
[table local_networks]
source = cidr:$T/networks
[table s25r_allow]
source = list:$T/allow"
LOGGED=$T/sekishod-grey.out
start_postfix --also via="inet:127.0.0.1:$port"
smtp=$(postfix_port via)

# NAME OPTION...: one message; $LINE is what the log says, $HEARD how often the
# child was connected to.
try() {
	local opens lines
	opens=$(lines_of '^s[0-9]+ open' "$T/grey.log")
	lines=$(lines_of ' verdict=' "$LOGGED")
	send "$smtp" "$@" "$ham"
	LINE=
	wait_for 10 one_more "$lines" &&
		LINE=$(grep ' verdict=' "$LOGGED" | tail -1)
	HEARD=$(($(lines_of '^s[0-9]+ open' "$T/grey.log") - opens))
}
one_more() { [ "$(lines_of ' verdict=' "$LOGGED")" -gt "$1" ]; }

# ---- suspicious: told to come again
while read -r what name; do
	try --name "$name" --client 203.0.113.9
	is "suspicious, $what: 450 to the recipient" "${REPLY_LINE:0:31}" \
		"450 4.7.1 come back later"
	is "... from the child, asked once" "$HEARD" 1
done <<'END'
numbers ppp-203-0-113-9.dial.example.net
digits host20301.example.net
noname [UNAVAILABLE]
dhcp dhcp9.example.net
END

# ---- not suspicious: the child is never connected to
while read -r what name; do
	try --name "$name" --client 203.0.113.9
	like "not suspicious, $what: accepted" "$REPLY_LINE" '^250 .*queued as'
	is "... and the child was not connected to" "$HEARD" 0
	like "... which the line tells" "$LINE" \
		' greylist=skip\(condition\) verdict=accept '
done <<'END'
relay mail.example.net
relay mx1.example.net
allowed ppp-203-0-113-9.dial.friend.test
END

# ---- suspicious by its name, but known by other things
try --name ppp-1-2.example.net --client 203.0.113.9 --login alice
like "suspicious but logged in: accepted" "$REPLY_LINE" '^250 .*queued as'
is "... the child was not connected to" "$HEARD" 0
like "... which the line tells" "$LINE" ' greylist=skip\(condition\) '
try --name ppp-1-2.example.net --client 203.0.113.99
like "in one of our networks: accepted" "$REPLY_LINE" '^250 .*queued as'
is "... the child was not connected to" "$HEARD" 0
# The Postfix of these tests speaks IPv4 only.
opens=$(lines_of '^s[0-9]+ open' "$T/grey.log")
ok "IPv6, which s25r leaves alone: accepted" mta \
	-s "inet:127.0.0.1:$port" --client 'ppp-1-2.example.net[2001:db8::9]'
is "... the child was not connected to" \
	"$(lines_of '^s[0-9]+ open' "$T/grey.log")" "$opens"

# ---- a table changes while the daemon runs
echo "203.0.113.0/24" >"$T/networks.new"
mv "$T/networks.new" "$T/networks"
gone_through() {
	try --name ppp-1-2.example.net --client 203.0.113.9
	[ "$HEARD" = 0 ] && [[ "$REPLY_LINE" == 250* ]]
}
ok "a network written into the table is in force without a reload" \
	wait_for 15 gone_through
done_testing
