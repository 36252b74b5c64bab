#!/bin/bash
# Starting: sockets, refusals in words, exit codes, the background.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"

attempt() { # OPTION...: a start that ends by itself; STATUS, $T/err, $T/out
	STATUS=0
	timeout -k 5 20 "$SEKISHOD" "$@" >"$T/out" 2>"$T/err" </dev/null ||
		STATUS=$?
}
says() { # DESCRIPTION STATUS REGEX: of the last attempt
	is "$1: exit code" "$STATUS" "$2"
	like "$1: in words" "$(cat "$T/err" "$T/out")" "$3"
}
leave_socket() { # PATH: as a process leaves it that was killed
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()' "$1"
}

in_crowd_at_least() {
	crowd count
	[ "$(cut -d' ' -f2 <<<"$CROWD_WORD")" -ge "$1" ]
}

# ------------------------------------------------------- options and settings
attempt -h
says "-h" 0 'usage: sekishod'
attempt -V
says "-V" 0 '^sekishod [^ ]+$'
attempt -x
says "an unknown option" 2 'usage: sekishod'
attempt -f surplus
says "a surplus word" 2 'usage: sekishod'
attempt -f -c "$T/none.conf"
says "no settings file" 1 'none.conf'
printf '[server]\nlisten = unix:%s/s.sock\nworkers_min = many\nworkers_mox = 3\n[milter a]\nsocket = unix:/x\n' \
	"$T" >"$T/bad.conf"
attempt -f -c "$T/bad.conf"
says "bad settings" 1 "bad.conf:3: .*workers_min"
like "all problems at once" "$(cat "$T/err")" "bad.conf:4: .*workers_mox"
attempt -t -c "$T/bad.conf"
says "-t with bad settings" 1 "bad.conf:3: "

conf "$T/s.conf"
attempt -t -c "$T/s.conf"
says "-t with good settings" 0 '^ok$'
like "-t tells the limits" "$(cat "$T/out")" \
	'needed: [0-9]+ processes, .* open files in the supervisor'
attempt -T -c "$T/s.conf"
says "-T" 0 'workers_max *= *500'
not_ok "-t and -T open nothing" test -e "$T/s.sock"

conf "$T/s.conf" "spool_directory = $T/nowhere"
attempt -f -c "$T/s.conf"
says "no spool" 3 'spool_directory ".*/nowhere": .*create it'
mkdir "$T/open" && chmod 0777 "$T/open"
conf "$T/s.conf" "spool_directory = $T/open"
attempt -f -c "$T/s.conf"
says "a spool for everybody" 3 'spool_directory ".*/open" can be written by'
attempt -t -c "$T/s.conf"
says "-t sees it too" 1 'spool_directory ".*/open" can be written by'
conf "$T/s.conf" "spool_directory = $T/s.conf"
attempt -f -c "$T/s.conf"
says "a spool that is a file" 3 'is not a directory'

# -------------------------------------------------------------------- sockets
conf "$T/s.conf"
leave_socket "$T/s.sock"
ready
ok "a socket that a dead process left is replaced" unix_listens "$T/s.sock"
is "mode 0600 unless told" "$(stat -c %a "$T/s.sock")" 600
attempt -f -c "$T/s.conf"
says "a second instance" 3 'another process listens there'
ok "the first keeps its socket" unix_listens "$T/s.sock"
crowd_start "unix:$T/s.sock" 1
ok "and serves" wait_for 5 crowd_says "answered 1 ended 0" count
crowd_stop
rm "$T/s.sock"
leave_socket "$T/s.sock"
stop_sekishod
ok "a path that is not ours any more is left alone" test -S "$T/s.sock"
rm "$T/s.sock"

conf "$T/s.conf" "listen = unix:$T/s.sock mode=0666, unix:$T/t.sock mode=0660"
ready
is "mode=0666" "$(stat -c %a "$T/s.sock")" 666
is "mode=0660" "$(stat -c %a "$T/t.sock")" 660
stop_sekishod

echo mail >"$T/s.sock"
conf "$T/s.conf"
attempt -f -c "$T/s.conf"
says "a file where the socket should be" 3 'not a socket is there'
is "and it is not touched" "$(cat "$T/s.sock")" mail
rm "$T/s.sock"
ln -s "$T/elsewhere" "$T/s.sock"
attempt -f -c "$T/s.conf"
says "a link where the socket should be" 3 'not a socket is there'
not_ok "nothing was made through it" test -e "$T/elsewhere"
rm "$T/s.sock"

conf "$T/s.conf" "listen = unix:$T/open/s.sock"
attempt -f -c "$T/s.conf"
says "a directory that others write" 3 'can be written by others'
chmod 1777 "$T/open"
ready
ok "a sticky one of ours will do" unix_listens "$T/open/s.sock"
stop_sekishod

free_port PORT
conf "$T/s.conf" "listen = inet:$PORT@127.0.0.1, unix:$T/s.sock"
ready
conf "$T/s2.conf" "listen = unix:$T/u.sock, inet:$PORT@127.0.0.1"
attempt -f -c "$T/s2.conf"
says "a port that is taken" 3 'another process listens there'
not_ok "the socket opened before it is taken away again" test -e "$T/u.sock"
stop_sekishod

# ----------------------------------------------------------------- the limits
conf "$T/s.conf" "workers_min = 2" "workers_max = 400"
few_files() {
	(ulimit -n 120 && exec "$SEKISHOD" -t -c "$T/s.conf") >"$T/out" 2>&1
	like "few open files: workers_max is cut, in words" "$(cat "$T/out")" \
		'RLIMIT_NOFILE.*enough for [0-9]+ workers'
	(ulimit -n 60 && exec "$SEKISHOD" -f -c "$T/s.conf") >"$T/few.out" 2>&1 &
	PID[few]=$!
	LOG[few]=$T/few.out
	wait_for 10 in_file ': ready$' "$T/few.out"
	like "at a start too" "$(cat "$T/few.out")" \
		'workers_max is [0-9]+ instead of 400'
	crowd_start "unix:$T/s.sock" 60
	ok "and it serves what it can" wait_for 10 in_crowd_at_least 20
	is "no worker died of it" "$(lines_of 'ended by|lost' "$T/few.out")" 0
	crowd_stop
	stop few
}
# Who may raise the hard limit is not short of files.
if (ulimit -n 60 && ulimit -n 1000) 2>/dev/null; then
	skip 4 "this root may raise its limits"
else
	few_files
fi

# ------------------------------------------------------------- the background
conf "$T/s.conf" "pid_file = $T/pid" "workers_min = 2" "log = syslog"
attempt -c "$T/s.conf"
is "in the background: the first process exits 0" "$STATUS" 0
ok "and then it listens already" unix_listens "$T/s.sock"
daemon=$(cat "$T/pid")
PID[daemon]=$daemon
ok "the pid file names a sekishod" grep -q '^sekishod$' "/proc/$daemon/comm"
is "it has a session of its own" \
	"$(ps -o sid= -p "$daemon" | tr -d ' ' | grep -cx "$$")" 0
is "its standard streams are gone" "$(for i in 0 1 2; do
	readlink "/proc/$daemon/fd/$i"; done | sort -u)" /dev/null
conf "$T/s2.conf" "pid_file = $T/pid" "listen = unix:$T/u.sock"
attempt -c "$T/s2.conf"
says "a second one with the same pid file" 3 "running already, as process $daemon"
is "the pid file is still the first one's" "$(cat "$T/pid")" "$daemon"
crowd_start "unix:$T/s.sock" 1
ok "it serves" wait_for 5 crowd_says "answered 1 ended 0" count
crowd_stop
kill -TERM "$daemon"
ok "SIGTERM ends it" wait_for 10 gone "$daemon"
unset "PID[daemon]"
not_ok "its pid file is gone" test -e "$T/pid"
not_ok "its socket is gone" test -e "$T/s.sock"
echo 1 >"$T/pid"
attempt -c "$T/s.conf"
is "an old pid file is no hindrance" "$STATUS" 0
PID[daemon]=$(cat "$T/pid")
kill -TERM "${PID[daemon]}"
wait_for 10 gone "${PID[daemon]}"
unset "PID[daemon]"
conf "$T/s.conf" "pid_file = $T/pid" "log = stderr"
attempt -c "$T/s.conf"
says "log = stderr in the background" 0 'log = stderr is lost in the background'
PID[daemon]=$(cat "$T/pid")
kill -TERM "${PID[daemon]}"
wait_for 10 gone "${PID[daemon]}"
unset "PID[daemon]"
conf "$T/s.conf" "listen = unix:$T/none/s.sock"
attempt -c "$T/s.conf"
says "a start that fails in the background" 3 'directory ".*/none"'
done_testing
