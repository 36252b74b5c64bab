#!/bin/bash
# When all workers are busy and connections wait: reserve workers, told once.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs

begins() { lines_of 'warning: overload: all 2 workers are busy' "$SEKISHO_LOG"; }
ends() { lines_of 'warning: overload is over' "$SEKISHO_LOG"; }
answered_at_least() { # NUMBER
	crowd count
	[ "$(cut -d' ' -f2 <<<"$CROWD_WORD")" -ge "$1" ]
}
# From outside: who holds more sockets than an ordinary worker ever would.
reserve_workers() {
	local p
	for p in $(workers); do
		[ "$(find "/proc/$p/fd" -lname 'socket:*' 2>/dev/null | wc -l)" \
			-gt 12 ] && echo "$p"
	done
}
printf 'Subject: x\n\ntext\n' >"$T/mail.eml"
start_child one 'at mail do continue'
settings() { # LINE...
	conf "$T/s.conf" "workers_min = 2" "workers_max = 2" "spare_min = 1" \
		"spare_max = 2" "$@"
}

# ------------------------------------------------------------ tempfail, many
settings
ready
crowd_start "unix:$T/s.sock" 2
ok "two sessions hold both workers" \
	wait_for 5 crowd_says "answered 2 ended 0" count
crowd mail
is "and they are served as always" "$CROWD_WORD" "mail c 2"
crowd more 200
is "nobody else has an answer at once" \
	"$(crowd count; echo "$CROWD_WORD")" "answered 2 ended 0"
ok "after two seconds all the others are answered" \
	wait_for 10 crowd_says "answered 202 ended 0" count
crowd mail
is "MAIL is put off for them, and for them only" "$CROWD_WORD" \
	"mail c 2 y 200"
crowd text
is "in words" "$CROWD_WORD" "text 451 4.3.2 Too busy, please come again"
crowd mail
is "the connections stay good for the next message" "$CROWD_WORD" \
	"mail c 2 y 200"
crowd talk
is "HELO is answered on all of them" "$CROWD_WORD" "talked 202"
ok "two workers and at most two for the reserve" \
	test "$(worker_count)" -le 4
is "the beginning is told once" "$(begins)" 1
is "the end not yet" "$(ends)" 0
like "the log says what is done and how to mend it" \
	"$(grep -m1 overload: "$SEKISHO_LOG")" \
	'on_overload = tempfail .*workers_max'
is "no line for each of these messages" \
	"$(lines_of 'verdict=tempfail' "$SEKISHO_LOG")" 0
is "their milter has heard of the two only" \
	"$(lines_of 'connect' "$T/one.log")" 2

# Garbage, and an MTA that reads nothing: their connections only.
mta -s "unix:$T/s.sock" "$T/mail.eml"
is "one message of another MTA: tempfail" "$MTA_STATUS" 11
python3 - "$T/s.sock" <<'PY' >"$T/garbage"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall(b"EHLO mx.example.org\r\n")
print("closed" if s.recv(100) == b"" else "open")
PY
is "garbage is answered by a close" "$(cat "$T/garbage")" closed
# 20,000 messages in one piece, whose answers are left lying for a while.
timeout 60 python3 - "$T/s.sock" <<'PY' >"$T/deaf"
import socket, struct, sys, threading
def packet(data):
    return struct.pack(">I", len(data)) + data
OPTNEG = packet(b"O" + struct.pack(">III", 6, 0x1FF, 0x1FFFFF))
CONNECT = packet(b"Cmx.example.org\0U")
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(sys.argv[1])
    s.sendall(OPTNEG + CONNECT)
    return s
def letters(s, want):
    data, out = b"", {}
    while sum(out.values()) < want:
        more = s.recv(65536)
        if not more:
            break
        data += more
        while len(data) >= 4:
            size = struct.unpack(">I", data[:4])[0]
            if len(data) < 4 + size:
                break
            letter = chr(data[4])
            out[letter] = out.get(letter, 0) + 1
            data = data[4 + size:]
    return " ".join("%s %d" % i for i in sorted(out.items()))
deaf = connect()
words = packet(b"M<a@example.org>\0") * 20000
writer = threading.Thread(target=deaf.sendall, args=(words,))
writer.start()
other = connect()
print("other: " + letters(other, 2))
print("deaf: " + letters(deaf, 20002))
writer.join()
PY
is "an MTA that does not read keeps nobody waiting" \
	"$(sed -n 's/^other: //p' "$T/deaf")" "O 1 c 1"
is "and finds all its answers when it does" \
	"$(sed -n 's/^deaf: //p' "$T/deaf")" "O 1 c 1 y 20000"
crowd mail
is "which is nothing to the others" "$CROWD_WORD" "mail c 2 y 200"

# An idle worker is better than the reserve.
crowd close 1
ok "an idle worker serves who comes now" \
	wait_for 10 mta -s "unix:$T/s.sock" "$T/mail.eml"
crowd mail
is "who is in the reserve stays there, served" "$CROWD_WORD" "mail c 1 y 200"
crowd_stop
ok "it is over when they have gone" wait_for 15 in_file 'overload is over' \
	"$SEKISHO_LOG"
like "with the numbers" "$(grep 'overload is over' "$SEKISHO_LOG")" \
	'after [0-9]+ s: 20[3-9] connections .*, 208[0-9][0-9] messages got on_overload = tempfail'
ok "the reserve leaves" wait_for 10 workers_are 2
mta -s "unix:$T/s.sock" "$T/mail.eml"
is "and mail is served as before" "$MTA_STATUS" 0
stop_sekishod
is "a drain afterwards ends well" "$STATUS" 0
is "the end was told once" "$(ends)" 1

# --------------------------------------------------- accept; a killed reserve
settings "on_overload = accept" "status = unix:$T/status.sock"
ready
crowd_start "unix:$T/s.sock" 22
ok "on_overload = accept: all are answered" \
	wait_for 10 crowd_says "answered 22 ended 0" count
crowd mail
is "MAIL is accepted" "$CROWD_WORD" "mail a 20 c 2"
mta -s "unix:$T/s.sock" "$T/mail.eml"
is "a message passes unfiltered" "$MTA_STATUS" 0
reserve=$(reserve_workers)
is "one reserve worker was enough" "$(wc -w <<<"$reserve")" 1
EXPECTED_WORKER_DEATHS=SIGKILL
hit KILL "$reserve"
ok "a killed reserve worker is told" \
	wait_for 5 in_file "worker $reserve ended by signal SIGKILL" \
	"$SEKISHO_LOG"
is "... with what it held" \
	"$(lines_of "reserve worker $reserve took 20 connections with it" \
		"$SEKISHO_LOG")" 1
is "... which is counted" "$("$BUILDDIR/sekishoctl" numbers \
	-s "unix:$T/status.sock" | grep sessions_lost)" "counter sessions_lost 20"
ok "its connections end, those of others do not" \
	wait_for 5 crowd_says "answered 22 ended 20" count
crowd mail
is "and are served on" "$CROWD_WORD" "mail c 2"
crowd more 5
ok "who comes then is answered by a new one" \
	wait_for 10 crowd_says "answered 27 ended 20" count
# A drain lets the reserve's connections end as those of others.
kill -TERM "${PID[sekishod]}"
ok "draining" wait_for 5 in_file ': draining' "$SEKISHO_LOG"
crowd mail
is "while it drains all are served to their end" "$CROWD_WORD" "mail a 5 c 2"
crowd_stop
reap sekishod 0
is "then it stops by itself" "$STATUS" 0

# ------------------------------------------------- reloads while it lasts
reload() { # GENERATION
	kill -HUP "${PID[sekishod]}"
	wait_for 10 in_file "settings read again, generation $1:" \
		"$SEKISHO_LOG"
}
conf "$T/s.conf" "workers_min = 1" "workers_max = 1" "spare_min = 1" \
	"spare_max = 1"
ready
crowd_start "unix:$T/s.sock" 1
for n in 2 3 4; do
	[ $n = 2 ] || ok "a reload under overload" reload $((n - 1))
	crowd more 1
	ok "who comes then is answered: session $n" \
		wait_for 10 crowd_says "answered $n ended 0" count
done
crowd_stop
ok "the reserve leaves when it is over" wait_for 15 workers_are 1
mta -s "unix:$T/s.sock" "$T/mail.eml"
is "and mail is served as before" "$MTA_STATUS" 0
stop_sekishod
is "all ends well" "$STATUS" 0
done_testing
