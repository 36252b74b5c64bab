#!/bin/bash
# Edits asked for by one player and carried out by the other.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
need_programs "$SEKISHO_MTA" "$SEKISHO_MILTER"

printf 'From: a@x\nX-D: 1\nX-D: 2\nX-D: 3\nSubject:s\n\nthe body\n' \
	>"$T/in.eml"

edited() { # MTA OPTION...: header lines of the edited message, joined by /
	local habits=$1
	shift
	mta -s "unix:$T/child.sock" --habits "$habits" -o "$T/out.eml" "$@" \
		"$T/in.eml"
	tr -d '\r' <"$T/out.eml" | sed '/^$/,$d' | paste -sd/
}

try() { # DESCRIPTION SCRIPT POSTFIX SENDMAIL
	start_child child "$2"
	is "postfix: $1" "$(edited postfix)" "$3"
	is "sendmail: $1" "$(edited sendmail)" "$4"
	stop_child child
}

try "nothing to do" '' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s'
try "a header more" 'at eom do addheader X-New v' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s/X-New: v' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s/X-New: v'
try "a name that is there already" 'at eom do addheader X-D v' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s/X-D: v' \
	'From: a@x/X-D: v/X-D: 1/X-D: 2/X-D: 3/Subject:s'
try "at the top" 'at eom do insheader 0 Top v' \
	'Top: v/From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s' \
	'Top: v/From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s'
try "deleted twice, from the front" \
	'at eom do chgheader 1 X-D ""; chgheader 2 X-D ""' \
	'From: a@x/X-D: 2/Subject:s' \
	'From: a@x/X-D: 3/Subject:s'
try "a change spells the name" 'at eom do chgheader 2 x-d two' \
	'From: a@x/X-D: 1/x-d: two/X-D: 3/Subject:s' \
	'From: a@x/X-D: 1/X-D: two/X-D: 3/Subject:s'
try "a folded value" 'at eom do chgheader 1 Subject "one\n two"' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject: one/ two' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject: one/ two'
try "values as they stand with leading space" \
	'option protocol leadspc; at eom do addheader A " a"; addheader B b' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s/A: a/B:b' \
	'From: a@x/X-D: 1/X-D: 2/X-D: 3/Subject:s/A: a/B:b'

# ---- bodies
body() { tr -d '\r' <"$T/out.eml" | sed '1,/^$/d'; }
start_child child 'at eom when sender ~ big do replbody "0123456789\r\n" 20000
at eom when sender ~ none do replbody ""
at eom do replbody "one "; replbody "two\r\n"'
edited postfix --sender two@x >/dev/null
is "a body in two pieces" "$(body)" "one two"
edited postfix --sender big@x >/dev/null
is "a body of several packets" "$(body | wc -lc | tr -s ' ')" \
	"$(yes 0123456789 | head -n 20000 | wc -lc | tr -s ' ')"
edited postfix --sender none@x -j >/dev/null
is "an empty body" "$(body)" ""
like "which counts as replaced" "$(cat "$T/mta.out")" \
	'"body_replaced":true,"body_size":0'
stop_child child

# ---- envelope
start_child child 'at eom when sender ~ hold do quarantine "looks odd"
at eom do addrcpt <new@x>; addrcpt <par@x> "NOTIFY=NEVER"; delrcpt <b@x>
	chgfrom <other@x> "RET=HDRS"'
mta -s "unix:$T/child.sock" -j -r a@x -r b@x "$T/in.eml"
is "edits of the envelope" "$MTA_STATUS" 0
like "recipients, with their fate" "$(cat "$T/mta.out")" \
	'"recipients":\[\{"address":"<a@x>","fate":"accepted"\},\{"address":"<b@x>","fate":"deleted"\},\{"address":"<new@x>","fate":"added"\},\{"address":"<par@x>","fate":"added"\}\]'
like "the sender" "$(cat "$T/mta.out")" \
	'"sender":"<other@x>","sender_args":"RET=HDRS"'
like "every request is listed" "$(cat "$T/mta.out")" \
	'"edits":\[\{"edit":"addrcpt","address":"<new@x>"\},\{"edit":"addrcpt_par","address":"<par@x>","args":"NOTIFY=NEVER"\},\{"edit":"delrcpt"'
mta -s "unix:$T/child.sock" --sender hold@x "$T/in.eml"
is "quarantine" "$MTA_STATUS" 13
like "with its reason" "$(cat "$T/mta.out")" 'quarantine at eom "looks odd"'
stop_child child

# ---- a refusal throws them away
start_child child 'at eom do addheader X-New v; chgfrom <other@x>; reject'
rm -f "$T/out.eml"
mta -s "unix:$T/child.sock" -j -o "$T/out.eml" --sender a@x "$T/in.eml"
is "a refused message is refused" "$MTA_STATUS" 10
ok "nothing is written" test ! -e "$T/out.eml"
like "the sender is the old one" "$(cat "$T/mta.out")" '"sender":"<a@x>"'
stop_child child

# ---- what JSON says is JSON
start_child child 'at eom do addheader "X-\xe4\"\\" "\t\n \x01"'
mta -s "unix:$T/child.sock" -j "$T/in.eml"
ok "odd bytes make good JSON" python3 -c '
import json, sys
m = json.load(open(sys.argv[1]))
e = m["edits"][0]
assert e["name"] == "X-\xe4\"\\", e
assert e["value"] == "\t\n \x01", e
assert m["verdict"] == "accept" and m["failure"] == ""
assert [s["stage"] for s in m["stages"]][:3] == ["optneg", "connect", "helo"]
' "$T/mta.out"
stop_child child
done_testing
