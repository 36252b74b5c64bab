#!/bin/bash
# What etc/ promises: units, init script, plugins, alerts, dashboard, patterns.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs
ETC=$(cd "$SRCDIR/etc" && pwd)
DATA=$(cd "$SRCDIR/t/data/service" && pwd)
BUILD=$(cd "$BUILDDIR" && pwd)

# As make fills it in, but for a machine that is this directory.
fill_in() { # FILE.in TO
	sed -e "s|@sbindir@|$T/sbin|g; s|@bindir@|$T/bin|g" \
		-e "s|@sysconfdir@|$T/etc|g" "$ETC/$1" >"$2"
}
mkdir -p "$T/sbin" "$T/bin" "$T/etc/default" "$T/etc/init.d" "$T/units"
ln -s "$BUILD/sekishod" "$T/sbin/sekishod"

like "make fills in the paths" "$(cat "$BUILD/etc/systemd/sekisho.service")" \
	'^ExecStart=/.*/sbin/sekishod -f'
is "in all files" "$(cat "$BUILD"/etc/{default,init.d,logrotate.d}/sekisho \
	"$BUILD"/etc/systemd/* | grep -c '@[a-z]*@')" 0

quietly() { # COMMAND...: what it says is in $T/quiet.out
	"$@" >"$T/quiet.out" 2>&1
}

# --------------------------------------------------------------------- systemd
for unit in sekisho.service sekisho.socket; do
	fill_in "systemd/$unit.in" "$T/units/$unit"
done
if command -v systemd-analyze >/dev/null; then
	for unit in sekisho.service sekisho.socket; do
		ok "systemd-analyze verify $unit" quietly systemd-analyze \
			verify --man=no "$T/units/$unit"
		is "... without a word" "$(cat "$T/quiet.out")" ""
	done
	diag "$(systemd-analyze security --no-pager --offline=true \
		"$T/units/sekisho.service" 2>&1 | tail -n 1 | tr -cd ' -~')"
else
	skip 4 "no systemd-analyze"
fi

# What a run needs is what the unit allows.
calls_of_set() { # SET: the system calls in it, one a line
	local word
	systemd-analyze syscall-filter "$1" | tail -n +2 | while read -r word; do
		case $word in
		'#'* | '') ;;
		@*) calls_of_set "$word" ;;
		*) echo "$word" ;;
		esac
	done
}
allowed_calls() { # as the SystemCallFilter lines of the unit say, in order
	local line set
	: >"$T/allowed"
	sed -n 's/^SystemCallFilter=//p' "$T/units/sekisho.service" |
		while read -r line; do
			for set in ${line#\~}; do calls_of_set "$set"; done |
				sort -u >"$T/named"
			case $line in
			\~*) comm -23 "$T/allowed" "$T/named" >"$T/next" ;;
			*) sort -u "$T/allowed" "$T/named" >"$T/next" ;;
			esac
			mv "$T/next" "$T/allowed"
		done
}
printf 'From: a@b\r\nSubject: hello\r\n\r\ntext\r\n' >"$T/mail.eml"
{
	cat "$T/mail.eml"
	yes "a long line of a long message" | head -n 4000
} >"$T/large.eml"
start_child one 'at eom do addheader "X-Hello" "yes"; continue'
# The leak sanitizer is no friend of being looked at.
if command -v systemd-analyze >/dev/null &&
	! grep -q __asan_init "$SEKISHOD" &&
	strace -f -o "$T/strace.out" true 2>/dev/null; then
	allowed_calls
	conf "$T/s.conf" "message_memory = 16k" "workers_min = 2"
	start traced strace -f -o "$T/strace.out" "$SEKISHOD" -f -c "$T/s.conf"
	wait_for 20 in_file ': ready$' "$T/traced.out" || bail "not ready"
	ok "a run that is looked at, with a large message" mta \
		-s "unix:$T/s.sock" "$T/large.eml"
	kill -TERM "$(pgrep -o -P "${PID[traced]}")"
	reap traced 0
	sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$T/strace.out" | sort -u \
		>"$T/used"
	is "it makes no system call that the unit forbids" \
		"$(comm -23 "$T/used" "$T/allowed")" ""
	ok "... of those that were seen ($(wc -l <"$T/used"))" test \
		"$(wc -l <"$T/used")" -gt 30
else
	skip 3 "no strace, none allowed here, or a build with sanitizers"
fi

# ----------------------------------------------------------------- init script
# Started by root it is to become somebody else, as in life.
user=
[ "$(id -u)" = 0 ] && user=nobody
mkdir -m 0700 "$T/init-spool"
[ -z "$user" ] || chown $user "$T/init-spool"
init_conf() { # LINE...: the settings of the init script
	{
		echo "[server]"
		echo "listen = unix:$T/run/milter.sock mode=0666"
		[ -z "$user" ] || echo "user = $user"
		echo "spool_directory = $T/init-spool"
		echo "log = syslog"
		printf '%s\n' "$@"
		echo "[milter one]"
		echo "socket = unix:$T/one.sock"
	} >"$T/etc/sekisho.conf"
	chmod 644 "$T/etc/sekisho.conf"
}
fill_in init.d/sekisho.in "$T/etc/init.d/sekisho"
chmod 755 "$T/etc/init.d/sekisho"
fill_in default/sekisho.in "$T/etc/default/sekisho"
sed -i "s|^SEKISHO_PID=.*|SEKISHO_PID=$T/run/sekishod.pid|" \
	"$T/etc/default/sekisho"
INIT=$T/etc/init.d/sekisho

init() { # ACTION: STATUS, $T/init.out
	STATUS=0
	timeout -k 5 60 "$INIT" "$@" >"$T/init.out" 2>&1 </dev/null || STATUS=$?
}
exits() { # DESCRIPTION STATUS ACTION
	init "$3"
	is "$1" "$STATUS" "$2" || diag "$(cat "$T/init.out")"
}
same_daemon() { [ "$(cat "$T/run/sekishod.pid")" = "$1" ]; }
end_of_init() { # nothing is left behind by a script that fails
	[ ! -e "$T/run/sekishod.pid" ] || "$INIT" stop >/dev/null 2>&1
}
AT_EXIT+=(end_of_init)

is_zombie() { # PID
	grep -q '^State:[[:blank:]]*Z' "/proc/$1/status" 2>/dev/null
}
ended() { # PID: whether or not process 1 has heard of it
	gone "$1" || is_zombie "$1"
}
# It has the name until somebody reaps it, which may be never.
a_dead_one() { # HOW
	ln -sf "$(command -v sleep)" "$T/bin/sekishod"
	rm -f "$T/parent.out"
	start parent python3 -c 'import subprocess, sys, time
p = subprocess.Popen([sys.argv[1], "0"])
print(p.pid, flush=True)
time.sleep(60)' "$T/bin/sekishod"
	wait_for 10 in_file '^[0-9]' "$T/parent.out"
	cp "$T/parent.out" "$T/run/sekishod.pid"
	wait_for 10 is_zombie "$(cat "$T/run/sekishod.pid")"
	is "$1: (a dead process has the name)" \
		"$(cat "/proc/$(cat "$T/run/sekishod.pid")/comm")" sekishod
	exits "$1: status of a dead one" 1 status
	exits "$1: stop of a dead one" 0 stop
	exits "$1: reopen of a dead one" 7 reopen
	stop parent
}
# Who may not signal it is told so.
not_allowed() { # HOW
	if [ "$(id -u)" != 0 ]; then
		skip 4 "only root can become somebody else"
		return
	fi
	STATUS=0
	chmod 755 "$T"
	timeout -k 5 60 setpriv --reuid=daemon --clear-groups "$INIT" stop \
		>"$T/init.out" 2>&1 </dev/null || STATUS=$?
	is "$1: stop by somebody else" "$STATUS" 4 || diag "$(cat "$T/init.out")"
	like "$1: ... says why" "$(cat "$T/init.out")" 'no permission to signal'
	exits "$1: ... and it runs" 0 status
	is "$1: ... no word of the shell" \
		"$(grep -c 'Operation not' "$T/init.out")" 0
}

init_script() { # HOW: all it does
	local how=$1 daemon
	exits "$how: status before the start" 3 status
	exits "$how: stop of what does not run" 0 stop
	exits "$how: reload of what does not run" 7 reload
	exits "$how: try-restart of what does not run" 0 try-restart
	not_ok "$how: ... starts nothing" test -e "$T/run/sekishod.pid"
	exits "$how: an unknown action" 2 frobnicate
	like "$how: ... tells those that are known" "$(cat "$T/init.out")" \
		'usage: .*start\|stop\|restart'

	init_conf
	exits "$how: start without pid_file" 6 start
	like "$how: ... says what to set" "$(cat "$T/init.out")" \
		"set pid_file = $T/run/sekishod.pid"
	init_conf "pid_file = $T/run/sekishod.pid" "workers_mix = 2"
	exits "$how: configtest of wrong settings" 1 configtest
	like "$how: ... with file and line" "$(cat "$T/init.out")" \
		'sekisho.conf:[0-9]+: .*workers_mix'
	exits "$how: start with wrong settings" 6 start
	like "$how: ... with file and line" "$(cat "$T/init.out")" \
		'sekisho.conf:[0-9]+: .*workers_mix'

	init_conf "pid_file = $T/run/sekishod.pid" "workers_min = 2"
	exits "$how: configtest of good ones" 0 configtest
	exits "$how: start" 0 start
	ok "$how: ... returns when it listens" unix_listens "$T/run/milter.sock"
	ok "$how: ... and serves" mta -s "unix:$T/run/milter.sock"
	exits "$how: status" 0 status
	daemon=$(cat "$T/run/sekishod.pid")
	like "$how: ... with the process" "$(cat "$T/init.out")" \
		"running, process $daemon\$"
	exits "$how: a second start" 0 start
	ok "$how: ... changes nothing" same_daemon "$daemon"
	exits "$how: reload" 0 reload
	exits "$how: force-reload" 0 force-reload
	ok "$how: ... keeps the process" same_daemon "$daemon"
	exits "$how: restart" 0 restart
	not_ok "$how: ... is another process" same_daemon "$daemon"
	ok "$how: ... and the old one is gone" ended "$daemon"
	daemon=$(cat "$T/run/sekishod.pid")
	exits "$how: try-restart" 0 try-restart
	not_ok "$how: ... is another process" same_daemon "$daemon"
	daemon=$(cat "$T/run/sekishod.pid")
	exits "$how: reopen" 0 reopen
	not_allowed "$how"

	init_conf "pid_file = $T/run/sekishod.pid" "workers_mix = 2"
	exits "$how: reload of wrong settings" 6 reload
	exits "$how: restart with wrong settings" 6 restart
	ok "$how: ... stops nothing" same_daemon "$daemon"
	ok "$how: ... it serves" mta -s "unix:$T/run/milter.sock"
	exits "$how: stop, whatever the settings are" 0 stop
	ok "$how: ... it is gone" ended "$daemon"
	exits "$how: status afterwards" 3 status
	echo 999999999 >"$T/run/sekishod.pid"
	exits "$how: status with an old pid file" 1 status
	# Who may write the pid file must not have root kill for him.
	start bystander sleep 60
	echo "${PID[bystander]}" >"$T/run/sekishod.pid"
	exits "$how: a pid file that names somebody else" 1 status
	exits "$how: ... stop" 0 stop
	exits "$how: ... reopen" 7 reopen
	ok "$how: ... does him nothing" running bystander
	stop bystander
	a_dead_one "$how"
	rm -rf "$T/run"
}
if [ -r /lib/lsb/init-functions ]; then
	init_script "with the LSB's functions"
else
	skip 1 "no /lib/lsb/init-functions: only without them"
fi
sed -i "s|/lib/lsb/init-functions|$T/none|" "$INIT"
init_script "plain sh"

# A session that does not end: stop waits as long as it was told, no longer.
init_conf "pid_file = $T/run/sekishod.pid" "drain_timeout = 60s"
echo SEKISHO_STOP_TIMEOUT=1 >>"$T/etc/default/sekisho"
init start
daemon=$(cat "$T/run/sekishod.pid")
crowd_start "unix:$T/run/milter.sock" 1
crowd_says "answered 1 ended 0" count || wait_for 5 crowd_says \
	"answered 1 ended 0" count
exits "stop while a session goes on" 0 stop
like "... says that it did not wait" "$(cat "$T/init.out")" 'not waiting'
ok "... it is gone" ended "$daemon"
crowd_stop

init_conf "pid_file = $T/run/sekishod.pid"
mv "$T/sbin/sekishod" "$T/sbin/none"
exits "start of what is not installed" 5 start
exits "status of what is not installed" 4 status
exits "stop of what is not installed" 0 stop
mv "$T/sbin/none" "$T/sbin/sekishod"

# ---------------------------------------------------------------- log rotation
if command -v logrotate >/dev/null && [ "$(id -u)" = 0 ]; then
	init start
	mkdir -m 0755 "$T/log"
	chown nobody "$T/log"
	setpriv --reuid=nobody --clear-groups sh -c "echo old >$T/log/sekisho.log"
	fill_in logrotate.d/sekisho.in "$T/rotate"
	sed -i "s|/var/log/sekisho|$T/log|; s|su sekisho sekisho|su nobody root|
		s|/run/systemd/system|$T/none|" "$T/rotate"
	chmod 644 "$T/rotate"
	ok "logrotate takes it" logrotate -f -s "$T/rotate.state" "$T/rotate"
	is "the log is rotated" "$(cat "$T/log/sekisho.log.1")" old
	exits "sekishod lives on" 0 status
	init stop
else
	skip 3 "no logrotate, or not root"
fi

# --------------------------------------------------------------------- plugins
cat >"$T/bin/sekishoctl" <<S
#!/bin/sh
case "\$*" in
"numbers") cat "\${NUMBERS:-$DATA/numbers}" ;;
"numbers -s unix:/x") cat "$DATA/numbers" ;;
"numbers since 5m") cat "$DATA/numbers-then" ;;
"ping"*) echo "\$PING_WORDS"; exit \$PING_STATUS ;;
*) echo "sekishoctl: \$*?" >&2; exit 2 ;;
esac
S
chmod 755 "$T/bin/sekishoctl"
munin() { # GRAPH [ACTION]
	ln -sf "$ETC/munin/sekisho_" "$T/sekisho_$1"
	PATH=$T/bin:$PATH sh "$T/sekisho_$1" ${2:+"$2"}
}
is "munin: autoconf" "$(munin "" autoconf)" yes
like "munin: autoconf without a server" "$(NUMBERS=$T/none munin "" autoconf)" \
	'^no \('
is "munin: suggest" "$(munin "" suggest | paste -sd' ')" \
	"latency messages milters workers"
is "munin: messages" "$(munin messages | paste -sd' ')" "accept.value 165\
 reject.value 20 tempfail.value 3 discard.value 0 quarantine.value 0\
 abort.value 0 lost.value 2"
is "munin: milters" "$(munin milters | paste -sd' ')" "m_clam_av_applied.value\
 150 m_clam_av_decided.value 13 m_clam_av_failed.value 7\
 m_clam_av_passed.value 7 m_open_dkim_applied.value 186\
 m_open_dkim_decided.value 3 m_open_dkim_failed.value 0\
 m_open_dkim_passed.value 0"
is "munin: latency, of the last five minutes" \
	"$(munin latency | paste -sd' ')" "m_clam_av_p95.value 0.000640\
 m_open_dkim_p95.value 0.000005 message_p50.value 0.000010\
 message_p95.value 0.000012"
is "munin: workers" "$(munin workers | paste -sd' ')" "busy.value 3\
 starting.value 0 leaving.value 1 reserve.value 0 idle.value 5"
without_label() { # GRAPH: values that its config does not announce
	comm -23 <(munin "$1" | sed 's/\.value .*//' | sort) \
		<(munin "$1" config | sed -n 's/\.label .*//p' | sort)
}
for graph in messages milters latency workers; do
	like "munin: $graph has a title" "$(munin $graph config)" '^graph_title '
	is "munin: every value of $graph is announced" \
		"$(without_label $graph)" ""
done
not_ok "munin: no server, no values" env NUMBERS="$T/none" \
	PATH="$T/bin:$PATH" sh "$T/sekisho_workers"

nagios() { # STATUS OF PING, ITS WORDS, OPTION...: STATUS, $T/nagios.out
	export PING_STATUS=$1 PING_WORDS=$2
	shift 2
	STATUS=0
	PATH=$T/bin:$PATH sh "$ETC/nagios/check_sekisho" "$@" \
		>"$T/nagios.out" 2>&1 || STATUS=$?
}
checked() { # DESCRIPTION STATUS REGEX
	is "check: $1: status" "$STATUS" "$2"
	like "check: $1: words" "$(cat "$T/nagios.out")" "$3"
	is "check: $1: one line" "$(wc -l <"$T/nagios.out")" 1
}
FINE='SEKISHO OK - 2 ms |time=0.002s'
nagios 0 "$FINE"
checked "it answers" 0 '^SEKISHO OK - 2 ms \|time=0.002s$'
nagios 2 "SEKISHO CRITICAL - no answer" -- -w 1
checked "it does not" 2 '^SEKISHO CRITICAL - no answer$'
nagios 127 "sh: not found"
checked "it cannot be asked" 3 '^SEKISHO UNKNOWN - status 127'
nagios 0 "$FINE" -x
checked "a wrong option" 3 '^usage'
nagios 0 "$FINE" -m
checked "milters in order" 0 "^SEKISHO OK - 2 ms \|time=0.002s .*'clam_av_passed_without'=7c"
nagios 0 "$FINE" -m -S unix:/x
checked "the status socket" 0 '^SEKISHO OK'
nagios 0 "$FINE" -m -S unix:/y
checked "no status socket" 3 '^SEKISHO OK - 2 ms; no numbers: .*numbers -s unix:/y'
sed 's/^breaker clam_av closed/breaker clam_av open/' "$DATA/numbers" >"$T/open"
NUMBERS=$T/open nagios 0 "$FINE" -m
checked "a breaker is open" 1 '^SEKISHO WARNING - .*breaker of clam_av is open'
sed 's/^mode clam_av on/mode clam_av off/' "$DATA/numbers" >"$T/off"
NUMBERS=$T/off nagios 0 "$FINE" -m
checked "a milter is off" 1 '^SEKISHO WARNING - .*clam_av is switched off'
NUMBERS=$T/off nagios 2 "SEKISHO CRITICAL - no answer" -m
checked "worse stays worse" 2 '^SEKISHO CRITICAL - .*clam_av is switched off'

# ------------------------------------------------------- alerts and dashboard
RULES=$ETC/prometheus/sekisho.rules.yml
if command -v promtool >/dev/null; then
	ok "promtool check rules" quietly promtool check rules "$RULES"
	cp "$RULES" "$DATA/rules-test.yml" "$T/"
	(cd "$T" && promtool test rules rules-test.yml) >"$T/promtool.out" 2>&1
	is "the alerts come when they should, and only then" "$?" 0 ||
		diag "$(cat "$T/promtool.out")"
else
	skip 2 "no promtool"
fi
ok "the dashboard is JSON" python3 -m json.tool "$ETC/grafana/sekisho.json" \
	"$T/dashboard"
known_metrics() { # as they are written: a histogram has three
	awk '$2 == "histogram" { print $1 "_bucket"; print $1 "_sum"
		print $1 "_count"; next } { print $1 }' "$DATA/metrics" | sort
}
used_metrics() {
	"$SRCDIR/t/lib/metric_names.py" "$RULES" "$ETC/grafana/sekisho.json" |
		sort
}
is "alerts and dashboard ask for metrics that there are" \
	"$(comm -13 <(known_metrics) <(used_metrics))" ""
ok "... and for many ($(used_metrics | wc -l))" test \
	"$(used_metrics | wc -l)" -gt 30

# -------------------------------------------------------------------- the line
grok() { # NAME FIELD...: of the lines on standard input
	"$SRCDIR/t/lib/grok.py" "$ETC/grok/sekisho" "$@"
}
told() { # the lines of sekishod about mail, without what syslog puts before
	sed -nE 's/^sekishod\[[0-9]+\]: //p' "$SEKISHO_LOG" |
		grep -E ' (verdict|rcpt)='
}
lines() { # NUMBER: so many are there
	[ "$(told | wc -l)" -ge "$1" ]
}
worker_waits() { # the played milter has the message and says nothing
	in_file '^s[0-9]+ m[0-9]+ eom' "$T/hush.log"
}
start_child no 'at eom do reply "550 5.7.1 not \"this\""'
start_child hold 'at eom do quarantine "held"; continue'
start_child gone 'at body do close'
start_child hush 'at eom do silence'
front '' 'one;mode=evaluate' 'gone;on_failure=accept' \
	'hold;when=sender_domain = held.example' \
	'no;when=sender_domain = bad.example' \
	'hush;when=sender_domain = slow.example;[rule nobody];when=recipient = nobody@example.org;action=reject 550 5.1.1 nobody "here"'
S=unix:$T/front.sock
mta -s "$S" --sender a@good.example -r b@example.org "$T/mail.eml"
mta -s "$S" --sender $'a"\\\xe9@bad.example' -r b@example.org "$T/mail.eml"
mta -s "$S" --sender a@held.example -r b@example.org "$T/mail.eml"
mta -s "$S" --sender '' -r nobody@example.org -r b@example.org "$T/mail.eml"
mta -s "$S" -c 'helo'
start patient "$SEKISHO_MTA" -s "$S" --sender a@slow.example "$T/mail.eml"
expect_death patient
wait_for 10 worker_waits
EXPECTED_WORKER_DEATHS=SIGKILL
for pid in $(workers "sekishod-$FRONT"); do kill -KILL "$pid"; done
reap patient
wait_for 10 lines 6
told >"$T/lines"
grok SEKISHO_LINE <"$T/lines" >"$T/grok.out"
is "all lines of a real run match" "$?" 0
diag "$(cat "$T/lines")" "$(grep 'NO MATCH' "$T/grok.out")"
fields() { # NUMBER FIELD...: of that line
	sed -n "$1p" "$T/lines" | grok SEKISHO_LINE "${@:2}"
}
is "a message" "$(fields 1 sender nrcpt client_name client_address verdict \
	passed_without edits by)" \
	"a@good.example|1|client.example.org|192.0.2.1|accept|gone|0|-"
like "... its milters" "$(fields 1 milters)" \
	'^\(one=continue(/[0-9.]+ms)?\) gone=failed\(closed\)@body/[0-9.]+ms hold=skip\(condition\) no=skip\(condition\) hush=skip\(condition\)$'
like "... its time and queue id" "$(fields 1 time_ms queue_id)" \
	'^[0-9]+\|[0-9A-Za-z]+$'
is "a no, with bytes and quotes of strangers" \
	"$(fields 2 sender verdict by stage reply)" \
	'a\x22\x5c\xe9@bad.example|reject|no|eom|550 5.7.1 not \x22this\x22'
is "quarantine" "$(fields 3 sender verdict quarantine edits)" \
	"a@held.example|quarantine|held|1"
is "a recipient" "$(fields 4 recipient verdict rule reply)" \
	'nobody@example.org|reject|nobody|550 5.1.1 nobody \x22here\x22'
is "... and its message, from nobody" "$(fields 5 sender nrcpt verdict)" \
	"|1|accept"
is "a connection without a message" "$(fields 6 queue_id sender verdict)" \
	"NOQUEUE|-|none"
# The milter hears of it a moment before the board does.
like "a lost one" "$(fields 7 sender verdict stage child signal)" \
	'^a@slow.example\|lost\|eom\|(hush|-)\|SIGKILL$'
echo 'a: from="x" nrcpt=1 size=2 client="c[d]" a=continue verdict="accept" edits=0 time=1ms' |
	grok SEKISHO_LINE >"$T/grok.out"
is "what is no such line does not match" "$?" 1

# ------------------------------------------------- what the server says itself
# The numbers and the metrics, when this sekishod answers for them.
CTL="$BUILD/sekishoctl"
"$CTL" -h 2>&1 | grep -q '^ *numbers' || {
	skip 7 "this sekishoctl asks no server yet"
	done_testing
	exit 0
}
conf "$T/s.conf" "status = unix:$T/status.sock"
ready
ask() { # VERB...: of that server
	"$CTL" "$1" -c "$T/s.conf" "${@:2}"
}
counted() { # the message, after its MTA heard of it
	ask numbers | grep -q '^verdict eom accept none 1$'
}
mta -s "unix:$T/s.sock" "$T/mail.eml"
wait_for 10 counted
ask numbers >"$T/numbers" 2>&1
like "the server's numbers begin as the plugins want them" \
	"$(head -1 "$T/numbers")" '^numbers 1$'
# Now they ask it themselves.
ln -sf "$CTL" "$T/bin/sekishoctl"
is "munin counts the message" "$(options="-c $T/s.conf" munin messages |
	grep accept)" "accept.value 1"
like "munin tells how long it took" "$(options="-c $T/s.conf" munin latency)" \
	'^message_p50.value 0\.[0-9]+$'
STATUS=0
SEKISHOCTL=$CTL "$ETC/nagios/check_sekisho" -m -S "unix:$T/status.sock" \
	-- --config "$T/s.conf" -w 10 -c 20 >"$T/nagios.out" 2>&1 || STATUS=$?
checked "the real server" 0 "^SEKISHO OK - .*'one_applied'=1c"
missing_metrics() { # that were promised, and that the server does not know
	ask metrics | sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' |
		sed -E 's/_(total|info)$//' | sort -u >"$T/types"
	sed -E 's/ .*//; s/_(total|info)$//' "$DATA/metrics" | sort |
		comm -23 - "$T/types"
}
is "the server has all metrics that are on the list" "$(missing_metrics)" ""
done_testing
