#!/bin/bash
# sekishoctl and the running server: every verb, every example of its manual,
# every exit status; a server that answers nonsense; completion.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

CTL=${SEKISHOCTL:-$BUILDDIR/sekishoctl}
need_programs "$SEKISHOD" "$SEKISHO_MTA" "$SEKISHO_MILTER" "$CTL"

start_child clamav 'at eom do continue'
start_child greylist 'at rcpt do tempfail'
cat >"$T/t.conf" <<END
[server]
listen = unix:$T/s.sock mode=0666
status = unix:$T/status.sock mode=0666
control = unix:$T/control.sock mode=0600
spool_directory = $T
spare_min = 2
[milter greylist]
socket = unix:$T/greylist.sock
when = s25r and not authenticated
[milter clamav]
socket = unix:$T/clamav.sock
END
start_sekishod "$T/t.conf"
wait_for 20 unix_listens "$T/control.sock"
printf 'Subject: a\n\nbody\n' >"$T/a.eml"
ok "a message goes through" mta -s "unix:$T/s.sock" -m mail:i=4XyZ1234 \
	"$T/a.eml"

ctl() { # VERB ARGS...: $out, $err, $status
	local verb=$1
	shift
	status=0
	timeout 60 "$CTL" "$verb" --config "$T/t.conf" "$@" \
		>"$T/out" 2>"$T/err" </dev/null || status=$?
	out=$(cat "$T/out") err=$(cat "$T/err")
}

# ------------------------------------------------------------- passed on
for verb in status milters workers metrics numbers why top; do
	args=()
	[ $verb = top ] && args=(-1)
	ctl $verb "${args[@]}"
	is "$verb: ends well" "$status$err" 0
	like "$verb: says something" "$out" .
done
ctl status -s "unix:$T/status.sock"
like "-s names the socket" "$out" "phase"
ctl milter clamav
is "milter: ends well" "$status$err" 0
like "milter: it is about that one" "$out" "clamav"
ctl milter nobody
is "milter: there is none of that name" "$status" 5
like "... in words" "$err" '^sekishoctl: refused: .*nobody'
ctl config --running
is "config --running: ends well" "$status$err" 0
like "... as a settings file" "$out" '\[milter clamav\]'
ctl config --running -n
unlike "... -n: no defaults" "$out" 'workers_max'
ctl config
is "config: the file's" "$status$err" 0

is_json() { python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["schema"] == 1' "$T/out"; }
for verb in status milters workers why metrics numbers report; do
	ctl $verb -j
	is "$verb -j: ends well" "$status$err" 0
	ok "$verb -j: JSON with a schema" is_json
done
ctl milter clamav -j
ok "milter -j: JSON" is_json
ctl config --running -j
is "config --running -j: ends well" "$status$err" 0
ok "... JSON" is_json
in_json() { python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))["config"]
print(eval(sys.argv[2]))' "$T/out" "$1"; }
is "... numbers are numbers" "$(in_json 'd["server"]["workers_max"] > 0')" True
is "... milters have names" "$(in_json '[m["name"] for m in d["milters"]]')" \
	"['greylist', 'clamav']"
ctl config --running -n -j
is "... -n: no defaults" "$(in_json '"workers_max" in d["server"]')" False

mode_of() { ctl numbers; sed -n "s/^mode $1 //p" "$T/out"; }
ctl off clamav for 15m
is "off: done" "$status$err" 0
is "... and so it is" "$(mode_of clamav)" off
ctl percent clamav 5 -j
is "percent -j: done" "$status$err" 0
ok "... JSON" is_json
like "... that says so" "$out" '"request":"percent clamav 5","ok":true'
is "... and so it is" "$(mode_of clamav)" "percent 5"
ctl evaluate clamav
is "evaluate" "$(mode_of clamav)" evaluate
ctl on clamav
is "on" "$(mode_of clamav)" on
ctl default clamav
is "default" "$status$(mode_of clamav)" 0on
ctl off nobody -j
is "off: a name nobody has" "$status" 5
like "... in JSON" "$out" '"ok":false'
ctl off clamav -s "unix:$T/status.sock"
is "the status socket changes nothing" "$status" 5
like "... and says what would" "$err" "control socket"

# ---------------------------------------------------------- exit statuses
ctl status nonsense
is "more words than it takes: refused" "$status" 5
ctl off "cla mav"
is "a name with a blank is refused here" "$status" 2
ctl status --nonsense
is "an unknown option" "$status" 2
ctl status -t soon
is "a time that is none" "$status" 2
ctl status -s nonsense
is "an address that is none" "$status" 2
ctl config -b --running
is "options at odds" "$status" 2
ctl status -s "unix:$T/nowhere"
is "no socket" "$status" 4
like "... in words" "$err" "no such socket: is sekishod running"
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/dead.sock"
ctl status -s "unix:$T/dead.sock"
is "a socket nobody listens on" "$status" 4
like "... in words" "$err" "sekishod is not running"
printf '[server]\nlisten = unix:/x\n' >"$T/none.conf"
"$CTL" reload -c "$T/none.conf" 2>"$T/err"
is "settings without a control socket" "$?" 4
like "... in words" "$(cat "$T/err")" 'name no control socket'
"$CTL" status -c "$T/none.conf" 2>"$T/err"
like "... nor a status socket" "$(cat "$T/err")" 'name no status socket'
"$CTL" status -c "$T/nowhere.conf" 2>"$T/err" && false
like "no settings: it says so" "$(head -1 "$T/err")" \
	'could not read the settings ".*nowhere.conf": No such file'
sed "s/^\[milter clamav\]/nonsense = 1\n&/" "$T/t.conf" >"$T/bad.conf"
"$CTL" status -c "$T/bad.conf" >"$T/out" 2>&1
is "settings that are wrong elsewhere" "$?" 0
sed '/^status/d' "$T/t.conf" >"$T/control.conf"
"$CTL" status -c "$T/control.conf" >"$T/out" 2>&1
is "without a status socket, the control socket answers" "$?" 0

# ------------------------------------------------------------- a fake one
mkdir "$T/fake"
start fake python3 "$SRCDIR/t/lib/fake_status.py" "$T/fake.sock" "$T/fake"
wait_for 20 unix_listens "$T/fake.sock" || bail "no fake server"
fake() { # BYTES of the answer to `status`, through printf
	rm -f "$T/fake/status" "$T/fake/status.eof"
	# shellcheck disable=SC2059 # escapes are wanted
	printf "$1" >"$T/fake/status${2:-}"
	ctl status -t 0.3 -s "unix:$T/fake.sock"
}
fake 'ok 3\nab\n'
is "an answer" "$status$out" 0ab
fake 'ok 0\n'
is "an empty answer" "$status$out$err" 0
fake 'error 4\nno!\n'
is "a refusal" "$status$err" "5sekishoctl: refused: no!"
fake 'ok 4\nab\n'
is "too short: waits, but not for ever" "$status" 4
like "... and says how long" "$err" 'nothing came within 0.3 s'
fake 'ok 4\nab\n' .eof
is "too short, and closed" "$status" 4
like "... in words" "$err" 'closed the connection'
fake '' .eof
is "nothing, and closed" "$status" 4
for answer in 'ok\n' 'ok x\n' 'ok -1\n' 'ok 1 2\n' 'fine 3\nab\n' 'ok 99999999999\n' \
	'HTTP/1.1 400 Bad Request, and no end of line in sight'; do
	fake "$answer"
	is "no answer at all: $answer" "$status" 4
	like "... and says so" "$err" 'does not speak our language'
done
printf 'ok 5\nquick' >"$T/fake/json_milters"
ctl milters -j -s "unix:$T/fake.sock"
is "-j asks for json" "$(tail -1 "$T/fake/log")" json_milters
printf 'ok 9\nnumbers 1' >"$T/fake/numbers"
ctl report -s "unix:$T/fake.sock"
is "numbers that are none" "$status" 3
like "... in words" "$err" 'numbers, line 1: there is no time'

# -------------------------------------------------- examples of the manual
# Lines that begin with "$ sekishoctl", with what continues them; the settings
# are ours, and `before` is a file.
examples() {
	awk '/^\$ sekishoctl/ { on = 1; sub(/^\$ /, "") }
		on { more = sub(/\\e$/, "\\"); print; on = more }' \
		"$SRCDIR/doc/sekishoctl.8"
}
sekishoctl() {
	local verb=$1
	shift
	"$CTL" "$verb" --config "$T/t.conf" "$@"
}
examples >"$T/examples"
is "there are examples" "$([ "$(wc -l <"$T/examples")" -ge 15 ] && echo yes)" yes
cd "$T" || bail "no $T"
while read -r line; do
	while [[ $line == *\\ ]]; do
		read -r more
		line="${line%\\}$more"
	done
	status=0
	(eval "$line") >"$T/out" 2>"$T/err" </dev/null || status=$?
	is "runs: $line" "$status$(cat "$T/err")" 0
done < <(sed 's/\\$/\\\\/' "$T/examples")
# What the manual shows of explain is what it says.
sed -n '/^milter greylist: applies/,/^\.Ed/p' "$SRCDIR/doc/sekishoctl.8" |
	grep -v '^\.Ed' >"$T/wanted"
is "explain says what the manual shows" "$(cat "$T/out")" "$(cat "$T/wanted")"
cd "$SRCDIR" || bail "no $SRCDIR"

# ------------------------------------------------------------- completion
complete_() { # WORD...: the last one is being typed; prints what it may be
	bash -c '. "$0"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_sekishoctl && echo "${COMPREPLY[@]}"' \
		"$SRCDIR/etc/sekishoctl.bash" "$CTL" "$@" 2>&1
}
is "completes verbs" "$(complete_ re)" "report reload reopen"
is "... and options of a verb" "$(complete_ report --c)" "--config --csv"
is "... ping's own" "$(complete_ ping --)" "--config --warning --critical --timeout"
is "... names of milters, of the server" \
	"$(complete_ off -c "$T/t.conf" '')" "greylist clamav"
is "... of that server" \
	"$(complete_ off -s unix : "$T/status.sock" cl)" "clamav"
is "... of the settings, without a server" \
	"$(sed "s/$(basename "$T")/nowhere/" "$T/t.conf" >"$T/off.conf"
	complete_ milter -c "$T/off.conf" g)" greylist
is "... and only where one is wanted" "$(complete_ reload -c "$T/t.conf" '')" ""
is "... for" "$(complete_ off -c "$T/t.conf" clamav f)" for
is "... percent" "$(complete_ percent clamav 1)" "1 10"
is "bash knows it" "$(bash -c '. "$0"; complete -p sekishoctl' \
	"$SRCDIR/etc/sekishoctl.bash")" "complete -F _sekishoctl sekishoctl"

# ----------------------------------------------------------------- and ends
ctl reload
is "reload" "$status$err" 0
sed "s/^\[milter clamav\]/nonsense = 1\n&/" "$T/t.conf" >"$T/bad.conf"
mv "$T/t.conf" "$T/good.conf"
mv "$T/bad.conf" "$T/t.conf"
ctl reload
is "reload of wrong settings: refused" "$status" 5
like "... with what is wrong" "$err" 't.conf:[0-9]+: unknown key "nonsense"'
mv "$T/good.conf" "$T/t.conf"
ctl reopen
is "reopen" "$status$err" 0
ctl drain
is "drain" "$status$err" 0
reap sekishod 0
is "... and it ends" "$STATUS" 0
stop fake
stop_child clamav
stop_child greylist
done_testing
