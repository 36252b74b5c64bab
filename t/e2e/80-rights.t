#!/bin/bash
# Started as root: what is done before the rights are given up, and after.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root"
# Processes of this user are counted: one whom no other script employs.
USER_NAME=games
USER_ID=$(id -u "$USER_NAME" 2>/dev/null) || skip_all "no user $USER_NAME"
GROUP_ID=$(id -g "$USER_NAME")
OTHER_GROUP=$(getent group mail | cut -d: -f1)
[ -n "$OTHER_GROUP" ] || skip_all "no group mail"

field() { # NAME PID: a line of its status
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$2/status" | tr -s '\t ' ' ' |
		sed 's/ $//'
}
settings() { # LINE...
	mkdir -p "$T/run"
	chmod 0755 "$T/run"
	conf "$T/s.conf" "workers_min = 2" "workers_max = 20" \
		"spare_min = 1" "user = $USER_NAME" \
		"listen = unix:$T/run/s.sock owner=$USER_NAME group=$OTHER_GROUP mode=0660" \
		"$@"
	chown "$USER_NAME" "$T/spool"
}

settings "pid_file = $T/run/pid"
# A descriptor of whoever starts us is none of our business.
exec 9<"$T/s.conf"
ready
exec 9<&-
all="${PID[sekishod]} $(workers | tr '\n' ' ')"
for p in $all; do
	who=$([ "$p" = "${PID[sekishod]}" ] && echo supervisor || echo worker)
	is "$who: user" "$(field Uid "$p")" \
		"$USER_ID $USER_ID $USER_ID $USER_ID"
	is "$who: group" "$(field Gid "$p")" \
		"$GROUP_ID $GROUP_ID $GROUP_ID $GROUP_ID"
	unlike "$who: root's groups are gone" " $(field Groups "$p") " ' 0 '
	is "$who: no capabilities" "$(field CapEff "$p")$(field CapPrm "$p")" \
		00000000000000000000000000000000
	is "$who: no new privileges" "$(field NoNewPrivs "$p")" 1
	is "$who: no core dumps" "$(awk '/core file size/ { print $5, $6 }' \
		"/proc/$p/limits")" "0 0"
	is "$who: no foreign descriptor" \
		"$(find "/proc/$p/fd" -lname "$T/s.conf" | wc -l)" 0
done
worker=$(workers | head -1)
is "workers have a name" "$(cat "/proc/$worker/comm")" sekisho-worker
is "the socket's owner, group and mode" "$(stat -c '%U %G %a' "$T/run/s.sock")" \
	"$USER_NAME $OTHER_GROUP 660"
is "the pid file is for everybody to read" \
	"$(stat -c %a "$T/run/pid")" 644
crowd_start "unix:$T/run/s.sock" 1
ok "it serves" wait_for 5 crowd_says "answered 1 ended 0" count
crowd_stop
# A worker holds its listeners, its own pair, the log: nobody else's pair.
own_sockets=$(find "/proc/$worker/fd" -lname 'socket:*' | wc -l)
is "a worker holds the listener and its own pair, no more" "$own_sockets" 2
is "... and not the pid file" \
	"$(find "/proc/$worker/fd" -lname "$T/run/pid" | wc -l)" 0
stop_sekishod
is "without rights in the directory the socket stays" \
	"$(stat -c %F "$T/run/s.sock" 2>/dev/null)" socket
is "and the pid file is empty" "$(stat -c %s "$T/run/pid")" 0
ready
ok "the next start takes both over" \
	grep -qx "${PID[sekishod]}" "$T/run/pid"
chown "$USER_NAME" "$T/run"
stop_sekishod
is "with rights in the directory nothing stays" "$(ls "$T/run")" ""

chown root "$T/spool"
STATUS=0
timeout 20 "$SEKISHOD" -f -c "$T/s.conf" >"$T/out" 2>&1 || STATUS=$?
is "a spool of somebody else: exit code" "$STATUS" 3
like "a spool of somebody else: in words" "$(cat "$T/out")" \
	"spool_directory .* cannot be written by user id $USER_ID"

for wrong in "user = nosuchuser" "group = nosuchgroup" \
	"listen = unix:$T/run/s.sock owner=nosuchuser"; do
	settings "$wrong"
	# The later line of two with one key would be a mistake of its own.
	key=${wrong%% *}
	awk -v k="$key" -v w="$wrong" '$1 == k { if (n++) next; print w; next }
		1' "$T/s.conf" >"$T/w.conf"
	STATUS=0
	timeout 20 "$SEKISHOD" -f -c "$T/w.conf" >"$T/out" 2>&1 || STATUS=$?
	is "$wrong: exit code" "$STATUS" 3
	like "$wrong: in words" "$(cat "$T/out")" 'not (a )?known'
done

# Not root: user is ignored, and that is said.
conf "$T/s.conf" "user = root" "listen = unix:$T/run/s.sock"
chown -R "$USER_NAME" "$T/spool" "$T/run"
start sekishod setpriv --reuid "$USER_NAME" --regid "$GROUP_ID" \
	--clear-groups "$SEKISHOD" -f -c "$T/s.conf"
SEKISHO_LOG=$T/sekishod.out
ok "not started as root: it serves" wait_for 10 in_file \
	"warning: user .root. is ignored: not started as root" "$SEKISHO_LOG"
wait_for 10 in_file ': ready$' "$SEKISHO_LOG"
is "as who we were" "$(field Uid "${PID[sekishod]}" | cut -d' ' -f1)" \
	"$USER_ID"
stop_sekishod

# No more processes than the limit of the user allows, counting those of
# another instance: pauses and one line, no storm; and back when there is room.
settings
awk '/^listen/ { print "listen = unix:'"$T/run/other.sock"'"; next } 1' \
	"$T/s.conf" >"$T/other.conf"
SEKISHOD_LABEL=sekishod-other
start_sekishod "$T/other.conf"
SEKISHOD_LABEL=sekishod
wait_for 10 in_file ': ready$' "$SEKISHO_LOG"
used=$(ps --no-headers -u "$USER_NAME" -o pid= | wc -l)
awk '/^workers_min/ { print "workers_min = 8"; next } 1' \
	"$T/s.conf" >"$T/n.conf"
rm -f "$T/sekishod.out"
(ulimit -u $((used + 5)) && exec "$SEKISHOD" -f -c "$T/n.conf") \
	>"$T/sekishod.out" 2>&1 </dev/null &
PID[sekishod]=$!
LOG[sekishod]=$T/sekishod.out
ok "processes run out: it goes on with what there is" wait_for 10 \
	in_file 'ready$' "$T/sekishod.out"
ok "and says so" in_file 'could not start worker 5: fork: .*trying again' \
	"$T/sekishod.out"
crowd_start "unix:$T/run/s.sock" 6
ok "those who can be served are" wait_for 10 crowd_says \
	"answered 4 ended 0" count
stop sekishod-other
ok "when there is room again the pool grows" wait_for 20 crowd_says \
	"answered 6 ended 0" count
ok "which is told too" wait_for 20 \
	in_file 'workers can be started again' "$T/sekishod.out"
crowd_stop
stop_sekishod
done_testing
