#!/bin/bash
# sekishoctl report: what it says is what was done, for people, as CSV and as
# JSON, of all and since a time.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

CTL=${SEKISHOCTL:-$BUILDDIR/sekishoctl}
need_programs "$SEKISHOD" "$SEKISHO_MTA" "$SEKISHO_MILTER" "$CTL"

# clamav refuses what says so; spf refuses one recipient and is switched off
# for a while.
start_child clamav '
at eom when header Subject contains virus do reject
at eom when header Subject contains later do tempfail
at eom do addheader "X-Scanned" "yes"; continue'
start_child spf 'at rcpt when rcpt ~ "bad@" do reject
at connect do continue'
cat >"$T/t.conf" <<END
[server]
listen = unix:$T/s.sock
status = unix:$T/status.sock
control = unix:$T/control.sock
spool_directory = $T
[milter spf]
socket = unix:$T/spf.sock
[milter clamav]
socket = unix:$T/clamav.sock
[rule no_eve]
when = sender = eve@example.com
action = reject
END
start_sekishod "$T/t.conf"

for s in fine virus later; do printf 'Subject: %s\n\nbody\n' $s >"$T/$s.eml"; done
play() { # TIMES FILE ARGS...
	local n=$1 file=$2
	shift 2
	mta -s "unix:$T/s.sock" -n "$n" "$@" "$T/$file.eml"
}
ctl() { # VERB ARGS...
	local verb=$1
	shift
	"$CTL" "$verb" -c "$T/t.conf" "$@" >"$T/out" 2>"$T/err"
}
# kind,milter,stage,what,cause: the count in this row of the CSV, or 0.
count() {
	awk -F, -v k="$1" '$1 "," $2 "," $3 "," $4 "," $5 == k { n = $6 }
		END { print n + 0 }' "$T/out"
}

play 12 fine || bail "could not play"
play 3 virus
play 2 later
play 1 fine --sender eve@example.com
mta -s "unix:$T/s.sock" -r good@example.org -r bad@example.org "$T/fine.eml"
settled_messages() { # N: all of them have their outcome
	ctl report --csv &&
		[ "$(awk -F, '$1 == "messages" { n += $6 } END { print n + 0 }' \
			"$T/out")" = "$1" ]
}
ok "19 messages are counted" wait_for 20 settled_messages 19
is "accepted" "$(count messages,,eom,accept,none)" 13
is "rejected by a milter" "$(count messages,,eom,reject,milter)" 3
is "put off by a milter" "$(count messages,,eom,tempfail,milter)" 2
is "rejected by a rule, at mail" "$(count messages,,mail,reject,rule)" 1
is "asked: not when a rule came first" \
	"$(count milter,clamav,,applied,)" 18
is "what it decided" "$(count milter,clamav,,decided,)" 5
is "its edits" "$(count milter,clamav,,edits,)" 13
is "its answers: continue" "$(count answers,clamav,eom,continue,)" 13
is "... reject" "$(count answers,clamav,eom,reject,)" 3
is "... tempfail" "$(count answers,clamav,eom,tempfail,)" 2
is "... and their times" "$(count times,clamav,eom,,)" 18
is "a refused recipient" "$(count answers,spf,rcpt,reject,)" 1
is "the other recipients" "$(count answers,spf,rcpt,continue,)" 18
is "shares" "$(awk -F, '$1 == "answers" && $2 == "clamav" && $3 == "eom" &&
	$4 == "reject" { print $7 }' "$T/out")" 0.166667
is "every row has the columns of the first" \
	"$(awk -F, '{ print NF }' "$T/out" | sort -u)" 11
is "percentiles go up" "$(awk -F, '$1 == "times" &&
	!($8 > 0 && $8 <= $9 && $9 <= $10 && $10 <= $11)' "$T/out")" ""
cp "$T/out" "$T/all.csv"

ctl report
like "for people: an outcome" "$(cat "$T/out")" \
	'^accept +none +eom +13 +68\.42%'
like "... an answer" "$(cat "$T/out")" \
	'^clamav +eom +18 +72\.22% +- +16\.67% +11\.11% +- +- '
like "... a milter" "$(cat "$T/out")" '^clamav +18 +5 +1 +0 +0 +13 +0 +0$'
ctl report -j
is "JSON: the same" "$(python3 - "$T/out" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
m = {m["name"]: m for m in d["milters"]}["clamav"]
eom = [s for s in m["stages"] if s["stage"] == "eom"][0]
print(d["schema"], d["counters"]["messages"], m["applied"], eom["count"],
      eom["answers"]["reject"], sum(v["count"] for v in d["verdicts"]),
      0 < eom["p50"] <= eom["p99"] <= eom["max"], d["from"] < d["to"])
END
)" "1 19 18 18 3 19 True True"

# ------------------------------------------------------------------- since
ctl numbers
cp "$T/out" "$T/before"
"$CTL" off spf -c "$T/t.conf" >/dev/null
play 4 fine
play 1 virus
settled_since() { # N
	ctl report --csv --since "$T/before" &&
		[ "$(awk -F, '$1 == "messages" { n += $6 } END { print n + 0 }' \
			"$T/out")" = "$1" ]
}
ok "since a file: 5 messages more" wait_for 20 settled_since 5
is "... 4 accepted" "$(count messages,,eom,accept,none)" 4
is "... 1 rejected" "$(count answers,clamav,eom,reject,)" 1
is "... and none put off" "$(count answers,clamav,eom,tempfail,)" 0
is "... one was switched off" "$(count milter,spf,,skipped_switch,)" 5
is "... and asked nothing" "$(count milter,spf,,applied,)" 0
ctl report --since "$T/before"
like "... it says from when" "$(head -1 "$T/out")" '^from .* to .* s\)$'

ctl report --since 100d
is "since a time that is not kept: refused" "$?" 5
ctl report --since "$T/nowhere"
is "since a file that is not there" "$?" 3
echo nonsense >"$T/nonsense"
ctl report --since "$T/nonsense"
is "since a file that is none" "$?" 3
like "... in words" "$(cat "$T/err")" 'nonsense: numbers, line 1'
ctl report --csv -j
is "either CSV or JSON" "$?" 2

# A server that was started anew knows less than the file.
stop_sekishod
start_sekishod "$T/t.conf"
play 1 fine
settled_anew() {
	ctl report --csv --since "$T/before" &&
		[ "$(count messages,,eom,accept,none)" = 1 ]
}
ok "started anew: of all since" wait_for 20 settled_anew
like "... and says so" "$(cat "$T/err")" 'started anew since then'
stop_sekishod
stop_child clamav
stop_child spf
done_testing
