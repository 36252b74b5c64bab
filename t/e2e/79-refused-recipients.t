#!/bin/bash
# Old bugs about recipients that are refused while a child is failing: a worker
# that crashed, a worker that never answered.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

# ---- a child fails while it owes the answer to a recipient that the MTA has
# refused itself, before there is any other
i=0
for how in close 'garbage 000000017a' 'addheader "X" "1"' silence; do
	i=$((i + 1))
	start_child "aside$i" "option protocol rcpt_rej; at rcpt do $how"
	front '' "aside$i;timeout_command=400ms"
	sent --refused-rcpt no@x.test -r yes@x.test
	is "$how at a recipient the MTA refused: the next one has the policy" \
		"$MTA_STATUS" 11
	like "... and the line is written" "$(line)" "aside$i=failed"
done

# ---- a child above refuses a recipient, the one below dies of it and stays
# dead: the next recipient has its policy, in time
start_child above 'at rcpt when rcpt ~ "no@" do reply "550 5.1.1 no"'
start_child below 'at rcpt do kill'
expect_death child-below
front 'step_deadline=2s;step_deadline_postfix=2s' above \
	"below;timeout_command=500ms;timeout_connect=500ms"
SECONDS=0
sent -r no@x.test -r yes@x.test
is "a child that died of a refused recipient: its policy holds" \
	"$MTA_STATUS" 11
ok "... in time" test "$SECONDS" -lt 60
ok "... told a few times, not without end" \
	test "$(grep -c 'child "below"' "$SEKISHO_LOG")" -lt 10

# ---- late is not the same: its own policy holds, and nothing stays open
start_child quiet 'at rcpt do silence'
front 'step_deadline=1500ms;step_deadline_postfix=1500ms' above \
	"quiet;on_failure=accept"
sent -r no@x.test -r yes@x.test
is "a child that is late and still owes for a refused recipient: accept" \
	"$MTA_STATUS" 0
like "... and the line says what it was" "$(line)" \
	"quiet=failed\(late\)@.* passed_without=quiet verdict=accept"
done_testing
