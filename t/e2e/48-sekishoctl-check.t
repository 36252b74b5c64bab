#!/bin/bash
# sekishoctl check --online and ping: milters that are there or not, the rights
# of user postfix, what Postfix says of itself; monitoring's exit statuses.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

CTL=${SEKISHOCTL:-$BUILDDIR/sekishoctl}
need_programs "$SEKISHOD" "$SEKISHO_MILTER" "$CTL"

start_child good 'option protocol noconnect nr_hdr skip
at eom do addheader "X-A" "1"; quarantine "q"; continue'
start_child mute 'at optneg do silence'
start_child rude 'at optneg do close'

# A Postfix whose settings we write; $T/bin is in front.
mkdir "$T/bin"
cat >"$T/bin/postconf" <<END
#!/bin/sh
case \$1 in
-x) cat "$T/main" ;;
-F) cat "$T/master" ;;
esac
END
chmod 755 "$T/bin/postconf"
PATH=$T/bin:$PATH
export PATH
main_cf() { # milter_command_timeout content_timeout smtpd_milters
	cat >"$T/main" <<END
milter_command_timeout = $1
milter_content_timeout = $2
milter_connect_timeout = 30s
milter_default_action = tempfail
smtpd_milters = $3
default_process_limit = 100
queue_directory = $T/queue
END
}
master_cf() { # process_limit chroot
	printf 'smtp/inet/process_limit = %s\nsmtp/inet/chroot = %s\n' \
		"$1" "$2" >"$T/master"
}
conf() { # MORE [server] LINES: and the sections behind them
	cat >"$T/t.conf" <<END
[server]
spool_directory = $T
$1
END
}
check() { # ARGS: $out, $err, $status
	status=0
	timeout 60 "$CTL" check --online -t 0.5 -c "$T/t.conf" "$@" \
		>"$T/out" 2>"$T/err" || status=$?
	out=$(cat "$T/out") err=$(cat "$T/err")
}

# ---------------------------------------------------------------- milters
main_cf 30s 300s "inet:127.0.0.1:10025"
master_cf - n
conf "listen = inet:10025@127.0.0.1
[milter good]
socket = unix:$T/good.sock"
check
is "all is well" "$status$err" 0
like "... the milter in words" "$out" "^ok +milter good at unix:$T/good.sock: \
version 6; may add headers, quarantine; need not hear connect; does not \
answer header; may skip bodies; [0-9.]+ ms$"
like "... the sum" "$(tail -1 "$T/out")" '^0 bad, 0 to be looked at$'
is "check without --online does not look" \
	"$("$CTL" check -c "$T/t.conf")" ok
conf "listen = inet:10025@127.0.0.1
[milter mute]
socket = unix:$T/mute.sock
[milter rude]
socket = unix:$T/rude.sock
[milter gone]
socket = unix:$T/nowhere.sock, unix:$T/good.sock
[milter off]
socket = unix:$T/nowhere.sock
mode = off"
check
is "milters that do not answer: 6" "$status" 6
like "... a silent one" "$out" '^bad +milter mute at .*'
like "... one that closes" "$out" '^bad +milter rude at .*'
like "... one that is not there" "$out" \
	'^bad +milter gone at .*nowhere.sock: .*No such file'
like "... its other socket" "$out" '^ok +milter gone at .*good.sock: version'
like "... one that is off is worth a note" "$out" '^note +milter off at '
like "... the sum" "$(tail -1 "$T/out")" '^3 bad, '
conf "listen = nonsense"
check
is "wrong settings are not looked at further" "$status" 1

# ---------------------------------------------------------------- Postfix
good_milter="[milter good]
socket = unix:$T/good.sock"
conf "listen = inet:10025@127.0.0.1, unix:$T/queue/sekisho/s.sock
workers_max = 99
$good_milter"
mkdir -p "$T/queue/sekisho"
bad_lines() { grep -E '^bad' "$T/out" | grep -v 'listen unix'; }
main_cf 25s 300s "inet:127.0.0.1:10025"
check
like "a step deadline that Postfix does not wait for" "$(bad_lines)" \
	'step_deadline_postfix is 25 s, but postfix gives up after 25 s'
main_cf 30s 4m "inet:127.0.0.1:10025"
check
like "a message deadline likewise" "$(bad_lines)" \
	'message_deadline is 240 s, but postfix gives up after 240 s'
like "fewer workers than smtpd" "$out" '^warn +workers_max is 99.* 100 smtpd'
master_cf 50 n
check
like "... as master.cf limits them" "$out" '^ok +workers_max is 99.* 50 smtpd'
has_us() { # SMTPD_MILTERS
	main_cf 30s 300s "$1"
	check
	grep -oE '^(ok|warn) +postfix.s smtpd_milters (has us|has none)' \
		"$T/out" | sed 's/ .*has/ has/'
}
is "smtpd_milters: ours" "$(has_us inet:127.0.0.1:10025)" "ok has us"
is "... the other spelling" "$(has_us inet:10025@localhost)" "ok has us"
is "... among others" "$(has_us "unix:/x, { inet:127.0.0.1:10025, \
connect_timeout=5s } inet:h:1")" "ok has us"
is "... a path as the chroot sees it" \
	"$(has_us unix:/sekisho/s.sock)" "ok has us"
is "... a path below the queue" "$(has_us unix:sekisho/s.sock)" "ok has us"
is "... another port" "$(has_us inet:127.0.0.1:10026)" "warn has none"
is "... another path" "$(has_us unix:/sekisho/t.sock)" "warn has none"
is "... none" "$(has_us '')" "warn has none"
like "... which is said" "$(cat "$T/out")" 'it is empty$'
conf "listen = unix:$T/queue.sock
$good_milter"
master_cf - y
check
like "a socket that a chroot hides" "$out" \
	"^warn +listen unix:$T/queue.sock: smtpd lives in a chroot"
printf '#!/bin/sh\nexit 1\n' >"$T/bin/postconf"
check
like "a postconf that fails is no trouble" "$out" \
	'^note +postconf does not answer'
printf '#!/bin/sh\nexec sleep 60\n' >"$T/bin/postconf"
check
like "... nor one that hangs" "$out" '^note +postconf does not answer'

# ----------------------------------------------------------------- rights
if ! id postfix >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
	skip 1 "no user postfix, or we are not root"
else
	mkdir -p "$T/a/b"
	right() { # LISTEN-OPTIONS: the line about it
		conf "listen = unix:$T/a/b/s.sock $1
$good_milter"
		check
		grep "listen unix:$T/a/b/s.sock" "$T/out"
	}
	like "not there yet: it will be nobody's" "$(right '')" \
		'^bad .*user postfix may not connect \(mode 0600, root:root, as it will be'
	like "... or everybody's" "$(right mode=0666)" '^ok '
	like "... or Postfix's group's" "$(right 'group=postfix mode=0660')" '^ok '
	like "... or its own" "$(right 'owner=postfix mode=0600')" '^ok '
	like "... or of a group it is not in" "$(right 'group=daemon mode=0660')" \
		'^bad .*root:daemon'
	chmod 700 "$T/a"
	like "a folder it may not pass" "$(right mode=0666)" \
		"^bad .*may not pass folder $T/a \(mode 0700, root:root\)"
	chmod 755 "$T/a"
	python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/a/b/s.sock"
	chmod 600 "$T/a/b/s.sock"
	like "it is there: what counts is what it is" "$(right mode=0666)" \
		'^bad .*may not connect \(mode 0600, root:root\)'
	chown postfix "$T/a/b/s.sock"
	like "... it is Postfix's" "$(right mode=0666)" \
		'^ok .*\(mode 0600, postfix:root\)'
	rm "$T/a/b/s.sock"
	touch "$T/a/b/s.sock"
	like "something else is there" "$(right mode=0666)" 'this is no socket'
	rm -r "$T/a/b"
	like "no folder" "$(right mode=0666)" '^bad .*folder .*/a/b: No such'
fi

# ------------------------------------------------------------------- ping
ping_() { # ARGS: $out, $status
	status=0
	out=$(timeout 60 "$CTL" ping "$@" 2>"$T/err") || status=$?
}
conf "listen = unix:$T/s.sock
$good_milter"
ping_ --config "$T/t.conf"
is "ping: nobody there" "$status" 2
like "... in words" "$out" '^SEKISHO CRITICAL - .*No such file'
start_sekishod "$T/t.conf"
ping_ --config "$T/t.conf"
is "ping: there" "$status" 0
like "... with a number for graphs" "$out" \
	'^SEKISHO OK - negotiated in [0-9.]+ ms \| time=0\.[0-9]{6}s;1;5;0;10$'
ping_ "unix:$T/s.sock" -w 0
is "ping: slower than -w" "$status" 1
like "... in words" "$out" '^SEKISHO WARNING - '
ping_ "unix:$T/s.sock" -c 0
is "ping: slower than -c" "$status" 2
ping_ "unix:$T/mute.sock" -t 0.3
is "ping: no answer" "$status" 2
ping_ "unix:$T/good.sock"
is "ping: any milter" "$status" 0
for args in "-w soon" "nonsense" "--nonsense" "a b" "--config $T/nowhere"; do
	# shellcheck disable=SC2086 # words are wanted
	ping_ $args
	is "ping $args: unknown" "$status" 3
	like "... in a line for monitoring" "$out" '^SEKISHO UNKNOWN - '
done
stop_sekishod
for c in good mute rude; do stop_child $c; done
done_testing
