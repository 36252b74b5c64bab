#!/bin/bash
# Another binary goes on in the same process.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs

start_child one 'at eom do delay 5ms; addheader "X-one" "1"'
mkdir -m 0700 "$T/spool"
mkdir "$T/sbin"
cp "$SEKISHOD" "$T/sbin/sekishod"
REAL=$SEKISHOD
SEKISHOD=$T/sbin/sekishod
free_port PORT
cat >"$T/s.conf" <<C
[server]
listen = unix:$T/front.sock mode=0666, inet:$PORT@127.0.0.1
spool_directory = $T/spool
control = unix:$T/control.sock
pid_file = $T/pid
workers_min = 3
workers_max = 12
spare_min = 1
[milter one]
socket = unix:$T/one.sock
C
start_sekishod "$T/s.conf"
wait_for 10 in_file ': ready$' "$SEKISHO_LOG"
main=${PID[sekishod]}

board() { python3 "$SRCDIR/t/lib/board.py" "$main"; }
one_mail() {
	mta -s "unix:$T/front.sock" -t 20s
}
readies() { [ "$(lines_of ': ready$' "$SEKISHO_LOG")" = "$1" ]; }
none_of() {
	local p
	for p; do ! kill -0 "$p" 2>/dev/null || return 1; done
}
put() { # FILE: takes the place of the binary, as a package manager does it
	cp "$1" "$T/sbin/new" && chmod 755 "$T/sbin/new" &&
		mv "$T/sbin/new" "$T/sbin/sekishod"
}

# ---- what stays
ok "mail passes" one_mail
sockets=$(stat -c %i "$T/front.sock")
mapfile -t OLD < <(workers)
started=$(board | awk '/worker_starts/ { print $3 }')
crowd_start "unix:$T/front.sock,inet:$PORT@127.0.0.1" 2
put "$REAL"
kill -USR2 "$main"
ok "a new program is ready" wait_for 20 readies 2
ok "in the same process" running sekishod
is "from the new file" "$(readlink "/proc/$main/exe")" "$T/sbin/sekishod"
is "with the same pid in the file" "$(cat "$T/pid")" "$main"
is "on the same socket" "$(stat -c %i "$T/front.sock")" "$sockets"
ok "mail passes" one_mail
is "the numbers go on" "$(board | head -n 1)" "0 one 2"
ok "those of the workers, too" test \
	"$(board | awk '/worker_starts/ { print $3 }')" -gt "$started"
ok "sessions of older workers go on" crowd_says "talked 2" talk
crowd_stop
ok "and the older workers go when they end" wait_for 10 none_of "${OLD[@]}"
is "the new program knows nothing it should not" \
	"$(tr '\0' '\n' <"/proc/$main/environ" | grep -c SEKISHO_HANDOVER)" 1
is "no descriptor is lost on the way: as many as after one upgrade" \
	"$(n=$(ls "/proc/$main/fd" | wc -l); kill -USR2 "$main"
	wait_for 20 readies 3; wait_for 10 workers_are 3
	m=$(ls "/proc/$main/fd" | wc -l); echo $((m - n)))" 0
ok "the pid file is still locked: a second one is refused" bash -c \
	"! '$SEKISHOD' -f -c '$T/s.conf' >'$T/second' 2>&1"
like "in words" "$(cat "$T/second")" "sekishod is running already, as process $main"

# ---- what is refused
refused() { [ "$(lines_of 'upgrade refused' "$SEKISHO_LOG")" = "$1" ]; }
printf '#!/bin/sh\necho this is broken >&2\nexit 1\n' >"$T/broken"
put "$T/broken"
kill -USR2 "$main"
ok "a program that fails is refused" wait_for 10 refused 1
like "with its own words" "$(cat "$SEKISHO_LOG")" 'error: this is broken'
echo garbage >"$T/broken"
put "$T/broken"
kill -USR2 "$main"
ok "so is what is no program" wait_for 10 refused 2
like "with the reason" "$(cat "$SEKISHO_LOG")" 'could not run ".*sekishod"'
rm "$T/sbin/sekishod"
kill -USR2 "$main"
ok "and nothing at all" wait_for 10 refused 3
printf '#!/bin/sh\nexit 0\n' >"$T/silent"
put "$T/silent"
kill -USR2 "$main"
ok "a program that exits with 0 and says nothing is refused" \
	wait_for 10 refused 4
printf '#!/bin/sh\necho ok\necho or not\nexit 0\n' >"$T/other"
put "$T/other"
kill -USR2 "$main"
ok "so is one whose last line is not ok" wait_for 10 refused 5
like "in words" "$(cat "$SEKISHO_LOG")" 'did not say "ok"'

# ---- everybody hears the end of what it asked for itself
many() { # FILE REQUEST...
	timeout 60 python3 "$SRCDIR/t/lib/ask_many.py" "$T/control.sock" "$@" \
		>"$T/many"
}
printf '#!/bin/sh\nuntil [ -e "%s" ]; do sleep 0.02; done\necho not this one\nexit 1\n' \
	"$T/go" >"$T/slow"
put "$T/slow"
ok "several clients ask at the same time" many "$T/go" upgrade upgrade reload
is "the first is told how its upgrade ended" "$(sed -n 1p "$T/many")" \
	"1 error not this one"
is "the second that there is one" "$(sed -n 2p "$T/many")" \
	"1 error an upgrade is under way already"
like "a reload that it waits for nothing" "$(sed -n 3p "$T/many")" \
	'^1 error an upgrade is under way: it reads the settings, too$'
put "$REAL"
before=$(lines_of 'settings read again' "$SEKISHO_LOG")
mapfile -t forty < <(yes reload | head -n 40)
ok "forty clients ask for a reload" many - "${forty[@]}"
is "each has one answer, its own or that too many wait" "$(grep -Ec \
	'^1 (ok settings read again|error too many wait)' "$T/many")" 40
ok "no more than those above the limit are refused" test \
	"$(lines_of '^1 ok ' "$T/many")" -ge 16
GENERATION=$(grep -Eo 'read again, generation [0-9]+' "$SEKISHO_LOG" |
	tail -n 1 | grep -Eo '[0-9]+$')
ok "there were fewer reloads than clients" test \
	$(($(lines_of 'settings read again' "$SEKISHO_LOG") - before)) -lt 40
echo "nonsense = 1" >>"$T/s.conf"
kill -USR2 "$main"
ok "settings that are bad are refused" wait_for 10 refused 7
like "with the problem" "$(cat "$SEKISHO_LOG")" 'unknown key "nonsense"'
ok "after all that mail passes" one_mail
sed -i '/nonsense/d' "$T/s.conf"
kill -HUP "$main"
ok "a reload works after upgrades, and goes on counting" wait_for 10 in_file \
	"settings read again, generation $((GENERATION + 1))" "$SEKISHO_LOG"

# ---- what a larger shared memory would need
begun_at() { # in seconds
	python3 "$SRCDIR/t/lib/ask.py" "$T/control.sock" json status |
		python3 -c 'import json, sys
s = json.load(sys.stdin)["status"]
print(int(s["time"] - s["uptime"] + 0.5))'
}
begun=$(begun_at)
sed -i 's/^workers_max.*/workers_max = 30\nhistory = 5000/' "$T/s.conf"
before=$(lines_of ': ready$' "$SEKISHO_LOG")
kill -USR2 "$main"
ok "an upgrade with a larger workers_max" \
	wait_for 20 readies $((before + 1))
like "tells what stays, and until when" "$(cat "$SEKISHO_LOG")" \
	'warning: workers_max = 30 takes effect at a restart: 12 stay'
like "of history, too" "$(cat "$SEKISHO_LOG")" \
	'warning: history = 5000 takes effect at a restart: [0-9]+ stays'
SAID=$(python3 "$SRCDIR/t/lib/ask.py" "$T/control.sock" status)
like "so does status" "$SAID" \
	'warning +the upgrade kept 12 workers, the settings ask for 30'
unlike "which does not blame the machine" "$SAID" 'the machine'
ok "it counts its time from where its numbers began" test \
	$(($(begun_at) - begun)) -le 1
sed -i '/^history/d; s/^workers_max.*/workers_max = 12/' "$T/s.conf"

# ---- an address that cannot be opened does not end the service
cat >"$T/holder.py" <<'P'
import signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(5)
print("up", flush=True)
signal.pause()
P
start holder python3 "$T/holder.py" "$T/other.sock"
wait_for 20 in_file up "$T/holder.out"
sed -i "s,^listen.*,&\, unix:$T/other.sock," "$T/s.conf"
before=$(lines_of ': ready$' "$SEKISHO_LOG")
kill -USR2 "$main"
ok "an address of another process does not end the service" \
	wait_for 20 readies $((before + 1))
like "but is told" "$(cat "$SEKISHO_LOG")" 'another process listens there'
ok "mail passes" one_mail
stop holder
sed -i "s/, unix:[^,]*other.sock//" "$T/s.conf"

# ---- under load
rm -f "$T/one.log"
stop_child one
start_child one 'at eom do delay 5ms; addheader "X-one" "1"'
: >"$SEKISHO_LOG"
load --sessions 300 --parallel 6 -n 2
up=0
for n in 20 120 220 320 420; do
	wait_for 30 load_goes "$n" || break
	kill -USR2 "$main"
	up=$((up + 1))
	wait_for 20 readies "$up" || break
done
load_end
account one
is "five upgrades under load: all is well" "$LOAD_STATUS $up" "0 5"
is "... every message was accepted" "${FACT[accept]}" 600
nothing_wrong "... "
is "... nobody died" "$(lines_of 'ended by|lost' "$SEKISHO_LOG")" 0
stop_sekishod
is "and all ends well" "$STATUS" 0
ok "with the socket removed" test ! -e "$T/front.sock"
done_testing
