#!/bin/bash
# Milters switched while mail is running: at once, in all workers, for a time,
# over a restart, and by those only who may.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
need_programs

ask() { # SOCKET WORD...: the answer is in ANSWER
	local socket=$1 status=0
	shift
	ANSWER=$(timeout 100 python3 "$SRCDIR/t/lib/ask.py" "$T/$socket.sock" \
		"$@" 2>&1) || status=$?
	return "$status"
}
row() { # MILTER: mode in the table
	ask status milters
	awk -v m="$1" '$1 == m { print $2 ($3 ~ /^[0-9]/ ? " " $3 : "") }' \
		<<<"$ANSWER"
}
mode_is() { [ "$(row "$1")" = "$2" ]; }
SERVER="status=unix:$T/status.sock;control=unix:$T/control.sock;state_file=$T/state"
MESSAGE='mail; rcpt; data; body "text\r\n"; eom'

start_child no 'at eom do reject'
start_child plain ''
front "$SERVER" no 'plain;mode=evaluate'
is "at first it is as the settings say" "$(row no),$(row plain)" on,evaluate
played "it refuses" "$MESSAGE; expect reject"

# ------------------------------------------------------- for the next message
ok "off" ask control off no
like "the answer tells what holds" "$ANSWER" \
	'^no: off by [a-z?]+ \(uid [0-9]+\) since .*Z \(settings: on\)$'
played "the next message is not shown to it" "$MESSAGE; expect continue"
like "... and its line says so" "$(line)" ' no=skip\(off\)'
like "who has done it stands in the log" "$(cat "$SEKISHO_LOG")" \
	"uid $(id -u) \([a-z]+\), pid [0-9]+: off no$"
ok "evaluate" ask control evaluate no
played "it is asked, and has no say" "$MESSAGE; expect continue"
like "... its word stands in parentheses" "$(line)" '\(no=reject@eom'
ok "percent 100" ask control percent no 100
played "for all of them" "$MESSAGE; expect reject"
is "the table shows it as switched" "$(row no)" "percent 100*"
ok "percent 0" ask control percent no 0
played "for none of them" "$MESSAGE; expect continue"
ok "default" ask control default no
is "as the settings say again" "$(row no)" "on"
played "it refuses again" "$MESSAGE; expect reject"
# One session, two messages: the first was already under way.
ok "in the middle of a session too" played "session" \
	"$MESSAGE; expect reject; $MESSAGE; expect reject"
ok "what the settings say is no switch" ask control on no
is "so nothing is shown as switched" "$(row no)" "on"

# --------------------------------------------------------------- for a time
ok "evaluate, and off for a time" ask control evaluate no
ok "five seconds" ask control off no for 5s
like "the answer tells until when" "$ANSWER" \
	'off by .* until 20..-..-..T..:..:..Z \(settings: on\)'
is "off now" "$(row no)" "off*"
ok "then what stood before" wait_for 30 mode_is no 'evaluate*'
like "which is logged" "$(cat "$SEKISHO_LOG")" \
	'milter no: its time is over; now evaluate by'
ok "a new one ends the time" ask control off no for 1h
ok "... for good" ask control on no
is "it is the settings' own again" "$(row no)" on

# ------------------------------------------------------------ what is refused
not_ok "the status socket changes nothing" ask status off no
is "... and says which one does" "$ANSWER" \
	"this socket only answers: use the control socket"
for wrong in 'off' 'off nobody' 'off no for' 'off no for ever' 'off no since 2s' \
	'percent no' 'percent no 101' 'percent no x' 'off no for 0s' \
	'default no for 2s' 'off no for 2s more words than that'; do
	# shellcheck disable=SC2086 # words
	not_ok "refused: $wrong" ask control $wrong
done
is "and nothing has changed" "$(row no)" on

# ------------------------------------------------------------- over a restart
ok "a standing switch" ask control percent plain 7
ok "a timed one" ask control off no for 1h
ok "and one that will be over" ask control on plain for 1h
is "state_file is ours alone" "$(stat -c %a "$T/state")" 600
SEKISHOD_LABEL=sekishod-$FRONT stop_sekishod
# As if an hour had passed for this one.
sed -i '/^milter=plain /s/until=2[0-9]*/until=2001/' "$T/state"
cat >>"$T/state" <<-'X'
	milter=gone mode=off uid=0 user=root at=2026-01-01T00:00:00Z
	milter=no mode=nonsense uid=0 user=root at=2026-01-01T00:00:00Z
X
SEKISHOD_LABEL=sekishod-$FRONT start_sekishod "$T/front.conf"
BEFORE=$(lines_of ' verdict=' "$SEKISHO_LOG")
is "the standing one is kept" "$(row plain)" "percent 7*"
is "the timed one is kept" "$(row no)" "off*"
ask status milter no
like "with who and until when" "$ANSWER" \
	"mode +off by [a-z?]+ \(uid $(id -u)\) since .* until .* \(settings: on\)"
LOG_TEXT=$(cat "$SEKISHO_LOG")
like "one that ended meanwhile is told" "$LOG_TEXT" \
	'plain: its switch to on has come to its end meanwhile'
like "one of a milter that is no more is told" "$LOG_TEXT" \
	'milter gone is not in the settings'
like "a line that makes no sense is told" "$LOG_TEXT" \
	'warning: state_file .*line [0-9]+ makes no sense'
played "and it works" "$MESSAGE; expect continue"
like "the line says off" "$(line)" ' no=skip\(off\)'

# A file that cannot be written: the switch holds all the same.
rm -f "$T/state"
mkdir -p "$T/state/in-the-way"
ok "switched without a file" ask control on no
like "and told that it will not last" "$ANSWER" \
	'warning: state_file .* could not be written'
is "it holds" "$(row no)" on
like "the log has it too" "$(cat "$SEKISHO_LOG")" 'error: state_file .* could not'
ask status status
like "and the status" "$ANSWER" \
	'^warning +state_file could not be written: something else than a file'
ok "what is in the way stays" test -d "$T/state/in-the-way"
rm -rf "$T/state"
mkfifo "$T/state"
ok "switched, with a pipe in its place" ask control off no
like "which is told" "$ANSWER" 'could not be written: something else'
ok "the pipe is left alone" test -p "$T/state"
rm "$T/state"
ok "with nothing in the way" ask control on no
ok "the file is there again" test -f "$T/state"
ask status status
unlike "and the warning is gone" "$ANSWER" 'state_file'
front "status=unix:$T/status.sock;state_file=$T/nowhere/state" plain
like "no folder for it: the log tells at the start" "$(cat "$SEKISHO_LOG")" \
	'error: state_file .*/nowhere/state could not be written: No such file'
ask status json status
like "and the status as JSON" "$ANSWER" \
	'"warnings":\["state_file could not be written: No such file'

# ------------------------------------------------------------------ under load
rm -f "$T/no.log" "$T/plain.log"
stop_child no
start_child no ''
start_child slow 'at eom do delay 100ms; continue'
front "$SERVER;workers_min=4;workers_max=4;spare_min=1" no slow
number() { # COUNTER [OF-MILTER]
	awk -v c="$1" -v m="${2:-}" 'm == "" && $1 == "counter" && $2 == c { print $3 }
		m != "" && $1 == "milter" && $2 == m && $3 == c { print $4 }' \
		<<<"$ANSWER"
}
load --sessions 100 --parallel 4 -n 2
ok "load is running" wait_for 30 load_goes 4
ok "off under load" ask control off no
ask status numbers
begun=$(number messages) applied=$(number applied no)
load_end
ask status numbers
all=$(number messages) skipped=$(number skipped_switch no)
diag "messages $all, begun when switched $begun, not shown $skipped"
ok "it was switched in the middle" test "$begun" -lt "$all"
ok "none begun after that is shown to it" \
	test "$skipped" -ge $((all - begun))
ok "at most those in work at that moment were (4 workers)" \
	test $(($(number applied no) - applied)) -le 4

# -------------------------------------------------------------------- rights
# Python may be installed where others cannot go.
if [ "$(id -u)" = 0 ] && [ -x /usr/bin/python3 ] && id nobody >/dev/null 2>&1 &&
	command -v setpriv >/dev/null; then
	as() { # UID GID GROUPS WORD...
		local uid=$1 gid=$2 groups=$3 status=0
		shift 3
		ANSWER=$(timeout 100 setpriv --reuid "$uid" --regid "$gid" \
			"$groups" /usr/bin/python3 "$T/ask.py" \
			"$T/control.sock" "$@" 2>&1) || status=$?
		return "$status"
	}
	nobody=$(id -u nobody) nogroup=$(id -g nobody)
	games=$(getent group games | cut -d: -f3)
	cp "$SRCDIR/t/lib/ask.py" "$T/ask.py"
	chmod 644 "$T/ask.py"
	front "status=unix:$T/status.sock mode=0666;control=unix:$T/control.sock mode=0666;control_group=games" no
	not_ok "not for everybody who can connect" \
		as "$nobody" "$nogroup" --clear-groups off no
	like "... who is told why" "$ANSWER" \
		'uid [0-9]+ \(nobody\), pid [0-9]+ may not change anything'
	is "and nothing changed" "$(row no)" on
	ok "reading is free" as "$nobody" "$nogroup" --clear-groups status
	ok "for control_group" as "$nobody" "$games" --clear-groups off no
	like "... by name" "$(cat "$SEKISHO_LOG")" 'uid [0-9]+ \(nobody\).*: off no'
	if id -nG games 2>/dev/null | grep -qw games; then
		ok "for a member by its entry, whatever it runs as" \
			as "$(id -u games)" "$nogroup" --clear-groups default no
	else
		skip 1 "user games is not in group games"
	fi
else
	skip 7 "needs root and setpriv"
fi
done_testing
