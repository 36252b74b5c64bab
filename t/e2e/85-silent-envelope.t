#!/bin/bash
# An MTA that falls silent inside an envelope: the worker gives memory back,
# and nothing of the message.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

start_child one 'at eom do addheader X-One yes'
start_child two ''
front 'workers_min=1;workers_max=1' one two
played "silent after each command of the envelope" \
	'connect; helo; wait 1500ms; mail; wait 1500ms; rcpt a@example.org;
	wait 2500ms; rcpt b@example.org; wait 1500ms; header Subject t;
	body "t\r\n"; eom; expect continue' -m 'mail:{auth_authen}=anna'
is "the second milter has heard every word of it" "$(log_since two |
	sed -nE 's/^s[0-9]+ (m[0-9]+ )?//p' |
	grep -oE '^(open|connect|helo|mail|rcpt [^ ]*|eom)' | paste -sd' ')" \
	"open connect helo mail rcpt a@example.org rcpt b@example.org eom"
like "... and what the first has changed" "$(log_since two)" 'X-One'
like "... with the macros of then" "$(log_since two)" 'anna'
done_testing
