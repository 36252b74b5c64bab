#!/bin/bash
# The board's counters against what MTA and children themselves have counted:
# 10,000 mixed messages over eight workers, equal to the last one; and with
# workers killed in between, when the sum still has to hold.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs
# shellcheck disable=SC2034 # read by house.sh
EXPECTED_WORKER_DEATHS="SIGKILL"
MESSAGES=${COUNTERS_MESSAGES:-10000}
LOAD_LIMIT=300

children() { # [RULE for two]
	rm -f "$T/one.log" "$T/two.log" "$T/three.log"
	start_child one 'at rcpt when chance 1/9 do reply "550 5.1.1 nobody"
		at mail when chance 1/50 do tempfail
		at eom when chance 1/11 do reject
		at eom do addheader "X-one" "1"' --seed 1
	start_child two "at mail when chance 1/20 do accept
		at rcpt when chance 1/40 do discard
		${1:-}
		at eom when chance 1/13 do quarantine \"q\"; continue
		at eom do addheader \"X-two\" \"2\"" --seed 2
	start_child three 'at data when chance 1/25 do reject
		at eom when chance 1/15 do discard' --seed 3
}
numbers() { # FILE
	python3 "$SRCDIR/t/lib/ask.py" "$T/status.sock" numbers >"$1"
}
none_in_work() { # what was begun has its outcome
	numbers "$T/numbers" && awk '$1 == "counter" && $2 == "messages" { m = $3 }
		$1 == "verdict" { v += $5 } END { exit m != v }' "$T/numbers"
}
tally() {
	python3 "$SRCDIR/t/lib/tally.py" "$T/numbers" "$T/load.json" \
		one="$T/one.log" two="$T/two.log" three="$T/three.log"
}
SERVER="workers_min=8;workers_max=8;spare_min=1;status=unix:$T/status.sock"

# ---- nobody dies: every counter is exact
# strict: a milter is asked only when it is waited for, so that no answer of
# its is left unheard because one above it has refused meanwhile; and none says
# no in the midst of the content, when it has more to answer.
children
front "$SERVER" one 'two;order=strict' 'three;order=strict'
load --sessions "$((MESSAGES / 10))" --parallel 8 -n 10 -r '<a@example.net>' \
	-r '<b@example.net>'
load_end
is "the load went through" "$(wc -l <"$T/load.json")" "$MESSAGES"
ok "every message that began has its outcome" wait_for 20 none_in_work
tally >"$T/tally"
like "what was compared" "$(tail -1 "$T/tally")" \
	'^compared [3-9][0-9], sum right$'
is "counters equal what MTA and children know" "$(sed '$d' "$T/tally")" ""
is "workers: eight, all of them well" \
	"$(sed -n 's/^counter worker_deaths //p' "$T/numbers")" 0
is "each message is one wait as a whole" \
	"$(awk '$1 == "wait" && $2 == "message" { print $4 }' "$T/numbers")" \
	"$(awk '$1 == "verdict" { v += $5 } END { print v }' "$T/numbers")"
diag "$(grep -E '^(counter (messages|recipients)|verdict)' "$T/numbers")"

# ---- workers are killed: sums still hold
for c in one two three; do stop_child "$c"; done
children 'at eoh when chance 1/30 do reply "451 4.7.1 later"'
front "$SERVER" one two 'three;order=free'
load --sessions "$((MESSAGES / 10))" --parallel 8 -n 10
killed=0
for n in 2 5 8 11 14 17 20 23 26 29 32 35 38 41 44 47 50 53 56 59; do
	wait_for 60 load_goes "$((MESSAGES / 100 * n))" || break
	p=$(workers "sekishod-$FRONT" | shuf -n 1)
	[ -z "$p" ] || { kill -KILL "$p" && killed=$((killed + 1)); }
done
load_end
ok "workers were killed in between ($killed)" test "$killed" -ge 10
ok "every message that began has its outcome" wait_for 20 none_in_work
tally >"$T/tally"
like "messages in = accepted + refused + lost" "$(tail -1 "$T/tally")" \
	'sum right$'
lost=$(awk '$1 == "verdict" && $3 == "lost" { n += $5 }
	END { print n + 0 }' "$T/numbers")
sessions=$(sed -n 's/^counter sessions_lost //p' "$T/numbers")
ok "no more messages were lost than workers died ($lost)" \
	test "$lost" -le "$killed"
ok "nor more sessions ($sessions)" test "$sessions" -le "$killed"
is "every death was counted" \
	"$(sed -n 's/^counter worker_deaths //p' "$T/numbers")" "$killed"
# What the MTA was told and what is counted differ by those killed between
# the two, at most.
awk '$1 == "outcome" { d = $4 - $8; n += d < 0 ? -d : d }
	END { print n + 0 }' "$T/tally" >"$T/apart"
ok "outcomes differ from the MTA's by the killed at most ($(cat "$T/apart"))" \
	test "$(cat "$T/apart")" -le "$((2 * killed))"
is "each lost message has its line" \
	"$(lines_of ' verdict=lost .*stage=[a-z]' "$SEKISHO_LOG" |
		awk -v l="$lost" '{ print($1 >= l ? "yes" : $1) }')" yes
done_testing
