#!/bin/bash
# log = file: whole lines, rotation under messages, a full disk.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs

mkdir "$T/log"
L=$T/log/sekisho.log
log_ready() { # starts with $T/s.conf and waits for the file to say so
	start_sekishod "$T/s.conf"
	wait_for 10 in_file ': ready$' "$L" || bail "sekishod is not ready"
}
attempt() { # a start that ends by itself
	STATUS=0
	timeout -k 5 20 "$SEKISHOD" "$@" >"$T/out" 2>"$T/err" </dev/null ||
		STATUS=$?
}
messages() { cat "$T"/log/sekisho.log* | grep -c 'verdict=accept'; }
all_logged() { [ "$(messages)" = "$1" ]; }
printf 'Subject: x\n\ntext\n' >"$T/mail.eml"
start_child one 'at eom do continue'

# ----------------------------------------------------------------- whole lines
conf "$T/s.conf" "log = file" "log_file = $L" "workers_min = 4"
log_ready
is "it is made with mode 0640" "$(stat -c %a "$L")" 640
ok "a message is served" mta -s "unix:$T/s.sock" "$T/mail.eml"
ok "and has its line" wait_for 5 in_file 'verdict=accept' "$L"
LINE='^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}\+00:00 sekishod\[[0-9]+\]: .+'
is "every line has time and process" "$(grep -Evc "$LINE" "$L")" 0
is "standard error has nothing" "$(cat "$SEKISHO_LOG")" ""

# -------------------------------------------------- rotation under messages
rotate() { # NUMBER
	local turns
	turns=$(cat "$T"/log/* | grep -c ': log files are opened')
	mv "$L" "$L.$1"
	kill -USR1 "${PID[sekishod]}"
	wait_for 5 turned "$((turns + 1))"
}
turned() { [ "$(cat "$T"/log/* | grep -c ': log files are opened')" = "$1" ]; }
start load "$SEKISHO_MTA" -s "unix:$T/s.sock" --sessions 400 --parallel 4 -q \
	"$T/mail.eml"
for i in 1 2 3 4 5; do
	wait_for 10 in_file 'verdict=accept' "$L" || diag "no message before $i"
	rotate "$i" || diag "not turned: $i"
done
reap load 0
is "four hundred messages during five rotations" "$STATUS" 0
ok "each has its line, in one of the files" wait_for 5 all_logged 401
is "and all lines are whole" "$(cat "$T"/log/* | grep -Evc "$LINE")" 0
for i in 1 2 3 4; do
	mta -s "unix:$T/s.sock" "$T/mail.eml"
done
ok "later lines are in the new file" wait_for 5 all_logged 405
sizes() { stat -c %s "$L".? | tr '\n' ' '; }
# Every worker has said something since: the old files have come to rest.
start load "$SEKISHO_MTA" -s "unix:$T/s.sock" --sessions 100 --parallel 4 -q \
	"$T/mail.eml"
reap load 0
before=$(sizes)
for i in 1 2 3 4 5 6 7 8; do
	mta -s "unix:$T/s.sock" "$T/mail.eml"
done
ok "all of them" wait_for 5 all_logged 513
is "and none in an old one" "$(sizes)" "$before"

# Where the new file cannot be had, the old one goes on.
mv "$L" "$L.9"
mkdir "$L"
kill -USR1 "${PID[sekishod]}"
ok "a file that cannot be opened anew is told in the old one" wait_for 5 \
	in_file 'error: log_file .*could not be opened anew: Is a directory' \
	"$L.9"
ok "mail goes on" mta -s "unix:$T/s.sock" "$T/mail.eml"
ok "with its line" wait_for 5 in_file 'verdict=accept' "$L.9"
rmdir "$L"
kill -USR1 "${PID[sekishod]}"
ok "the next time it works" wait_for 5 in_file ': log files are opened' "$L"
stop_sekishod
is "a drain ends well" "$STATUS" 0
like "the last line is in the file, too" "$(tail -n 1 "$L")" ': stopped$'

# ---------------------------------------------------------------- a full disk
lost_lines() { # as the board has counted them
	"$BUILDDIR/sekishoctl" numbers -s "unix:$T/status.sock" |
		sed -n 's/^counter log_lines_lost //p'
}
lost_some() { [ "$(lost_lines)" -ge 3 ]; }
conf "$T/s.conf" "log = file" "log_file = /dev/full" "workers_min = 1" \
	"status = unix:$T/status.sock"
start_sekishod "$T/s.conf"
ok "a full disk: mail goes on" mta -s "unix:$T/s.sock" "$T/mail.eml"
ok "the lines that are lost are counted" wait_for 5 lost_some
like "as the status tells" \
	"$("$BUILDDIR/sekishoctl" status -s "unix:$T/status.sock")" \
	'^warning +[0-9]+ lines of the log could not be written$'
not_ok "the log is no plain file and stays what it is" test -f /dev/full
stop_sekishod
is "and it stops as told" "$STATUS" 0
rm -f "$L"*
conf "$T/s.conf" "log = file" "log_file = $L" "workers_min = 1" \
	"workers_max = 1" "spare_min = 1" "status = unix:$T/status.sock"
log_ready
is "nothing is lost yet" "$(lost_lines)" 0
# Room for the lines so far and a few more, in the middle of a line.
for p in "${PID[sekishod]}" $(workers); do
	prlimit --pid "$p" --fsize=1500:unlimited
done
served=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	mta -s "unix:$T/s.sock" "$T/mail.eml" && served=$((served + 1))
done
is "a file at its limit: mail goes on" "$served" 10
is "the file has come to its limit" "$(stat -c %s "$L")" 1500
mv "$L" "$L.1"
kill -USR1 "${PID[sekishod]}"
ok "a message behind a rotation" mta -s "unix:$T/s.sock" "$T/mail.eml"
ok "the worker tells how many lines were lost" wait_for 5 \
	in_file 'warning: [0-9]+ lines of this process were lost: ' "$L"
written=$(cat "$L" "$L.1" | grep -c 'verdict=accept.* time=[^ ]*$')
lost=$(sed -nE 's/.*\[([0-9]+)\]: warning: ([0-9]+) lines of.*/\2/p' "$L" |
	tail -n 1)
is "written and lost are all there were" "$((written + lost))" 11
is "and all who lost some have counted them" "$(lost_lines)" \
	"$(sed -nE 's/.*warning: ([0-9]+) lines of this.*/\1/p' "$L" |
		awk '{ n += $1 } END { print n + 0 }')"
stop_sekishod
rm -f "$L"*

# ------------------------------------------------------------ refused at start
conf "$T/s.conf" "log = file" "log_file = $T/nowhere/log"
attempt -f -c "$T/s.conf"
is "no directory for it: exit code" "$STATUS" 3
like "in words, with what to do" "$(cat "$T/err")" \
	'error: log_file ".*/nowhere/log": No such file or directory; user id [0-9]+ must be able to write it'
ln -s "$T/elsewhere" "$L"
conf "$T/s.conf" "log = file" "log_file = $L"
attempt -f -c "$T/s.conf"
is "a link: exit code" "$STATUS" 3
not_ok "nothing was made through it" test -e "$T/elsewhere"
attempt -c "$T/s.conf"
is "in the background: exit code" "$STATUS" 3
like "in words" "$(cat "$T/err")" 'error: log_file '
rm "$L"
conf "$T/s.conf" "log = file" "log_file = $L" "pid_file = $T/pid"
attempt -c "$T/s.conf"
is "in the background it starts" "$STATUS" 0
PID[daemon]=$(cat "$T/pid")
ok "and logs" in_file ': ready$' "$L"
kill -TERM "${PID[daemon]}"
wait_for 10 gone "${PID[daemon]}"
unset "PID[daemon]"
done_testing
