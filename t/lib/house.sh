# shellcheck shell=bash
# house.sh - the words every t/e2e script speaks
#
#   . "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
#   plan 3            (or done_testing as the last line, never neither)
#   start_child hello 'at eom do addheader "X-Hello" "yes"; continue'
#   start_sekishod "$T/sekisho.conf"
#   ok   "it accepts"    mta -s "unix:$T/sekisho.sock" mail.eml
#   is   "one line"      "$(grep -c verdict= "$T/sekishod.log")" 1
#   like "it says so"    "$(cat "$T/mta.out")" 'accept'
#
# The description always comes first.  $T is this script's own directory, gone
# at the end unless KEEP is set.  Every process is started by `start` and
# watched: one that died of a signal nobody announced, or that a sanitizer
# complained about, fails the script.  Nothing here sleeps in place of a fact:
# wait_for polls one, with a limit.

set -u
SRCDIR=${SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILDDIR=${BUILDDIR:-$SRCDIR}
SEKISHOD=${SEKISHOD:-$BUILDDIR/sekishod}
SEKISHO_MTA=${SEKISHO_MTA:-$BUILDDIR/sekisho-mta}
SEKISHO_MILTER=${SEKISHO_MILTER:-$BUILDDIR/sekisho-milter}
export SRCDIR BUILDDIR SEKISHOD SEKISHO_MTA SEKISHO_MILTER
# The log is compared in UTC and in English.
export TZ=UTC LC_ALL=C
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:exitcode=99}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

T=$(mktemp -d "${TMPDIR:-/tmp}/sekisho-t.XXXXXX") || exit 99
chmod 755 "$T" # a daemon that gave up its rights must get in

# ------------------------------------------------------------------ TAP words
TESTS_RUN=0
TESTS_FAILED=0
TESTS_PLANNED=
TESTS_DONE=
HOUSE_PID=$BASHPID

diag() { printf '%s\n' "$@" | sed 's/^/# /'; }

plan() { # NUMBER: how many tests there will be
	TESTS_PLANNED=$1
	echo "1..$1"
}

done_testing() { # instead of plan, as the script's last word
	TESTS_DONE=1
}

skip_all() { # REASON: nothing here can be run
	echo "1..0 # SKIP $*"
	TESTS_PLANNED=0
	exit 0
}

result() { # STATUS DESCRIPTION
	TESTS_RUN=$((TESTS_RUN + 1))
	if [ "$1" = 0 ]; then
		echo "ok $TESTS_RUN - $2"
		return 0
	fi
	TESTS_FAILED=$((TESTS_FAILED + 1))
	echo "not ok $TESTS_RUN - $2"
	return 1
}

skip() { # COUNT REASON: that many tests are not run
	local i
	for ((i = 0; i < $1; i++)); do
		TESTS_RUN=$((TESTS_RUN + 1))
		echo "ok $TESTS_RUN # SKIP $2"
	done
}

ok() { # DESCRIPTION COMMAND...: the command succeeds
	local what=$1 status=0
	shift
	"$@" || status=$?
	result "$status" "$what" || diag "status $status of: $*"
}

not_ok() { # DESCRIPTION COMMAND...: it fails, but not by a signal or crash
	local what=$1 status=0
	shift
	"$@" || status=$?
	if [ "$status" -gt 0 ] && [ "$status" -lt 99 ]; then
		result 0 "$what"
	else
		result 1 "$what" || diag "status $status of: $*"
	fi
}

is() { # DESCRIPTION GOT WANTED
	if [ "$2" = "$3" ]; then
		result 0 "$1"
	else
		result 1 "$1" || diag "got:    $2" "wanted: $3"
	fi
}

like() { # DESCRIPTION TEXT EXTENDED-REGEX
	if grep -Eq -- "$3" <<<"$2"; then
		result 0 "$1"
	else
		result 1 "$1" || diag "text:     $2" "no match: $3"
	fi
}

unlike() { # DESCRIPTION TEXT EXTENDED-REGEX
	if grep -Eq -- "$3" <<<"$2"; then
		result 1 "$1" || diag "text:  $2" "match: $3"
	else
		result 0 "$1"
	fi
}

bail() { # REASON: going on makes no sense
	TESTS_PLANNED=${TESTS_PLANNED:-bailed}
	echo "Bail out! $*"
	exit 1
}

# ---------------------------------------------------------------- facts, ports
# The seconds are those of a quiet machine; on a busy one all takes longer.  A
# script that expects to wait in vain says PATIENCE=1.
wait_for() { # SECONDS COMMAND...: polls until the command succeeds
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000 * ${PATIENCE:-5}))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
		sleep 0.02
	done
}

in_file() { # EXTENDED-REGEX FILE: some line of the file matches
	grep -Eq -- "$1" "$2" 2>/dev/null
}

lines_of() { # EXTENDED-REGEX FILE: prints how many lines match
	grep -Ec -- "$1" "$2" 2>/dev/null || true
}

port_listens() { # PORT: something listens on it (no connection is made)
	grep -Eqs ": [0-9A-F]*:$(printf %04X "$1") [0-9A-F]*:0000 0A" \
		/proc/net/tcp /proc/net/tcp6
}

unix_listens() { # PATH (the flag is the kernel's __SO_ACCEPTCON)
	awk -v p="$1" '$4 == "00010000" && $8 == p { f = 1 }
		END { exit !f }' /proc/net/unix
}

listens() { # ENDPOINT in either spelling
	case $1 in
	unix:* | local:*) unix_listens "${1#*:}" ;;
	inet*:*@*) local p=${1#*:}; port_listens "${p%@*}" ;;
	inet*:*) port_listens "${1##*:}" ;;
	*) return 1 ;;
	esac
}

# A claim is a lock this script holds for as long as it lives: two scripts
# that run at once never get the same port, and a crash leaves nothing behind.
free_port() { # VARIABLE: set to a port that is free and claimed for us
	local _p _i _fd
	mkdir -p /tmp/sekisho-locks && chmod 1777 /tmp/sekisho-locks 2>/dev/null
	for ((_i = 0; _i < 500; _i++)); do
		_p=$((29000 + RANDOM % 1000))
		exec {_fd}>"/tmp/sekisho-locks/port-$_p" || continue
		if flock -n "$_fd" && ! port_listens "$_p"; then
			printf -v "$1" %s "$_p"
			return 0
		fi
		exec {_fd}>&-
	done
	bail "no free port"
}

# ------------------------------------------------------------------- processes
declare -A PID=()	# label -> pid
declare -A LOG=()	# label -> file with its stdout and stderr
declare -A DEATH=()	# label -> announced
GUARD_COMPLAINTS=()

start() { # LABEL COMMAND...: in the background, output to $T/LABEL.out
	local label=$1
	shift
	LOG[$label]=$T/$label.out
	"$@" </dev/null >>"$T/$label.out" 2>&1 &
	PID[$label]=$!
	unset "DEATH[$label]"
}

running() { # LABEL
	local state
	state=$(sed -n 's/^State:\t\(.\).*/\1/p' \
		"/proc/${PID[$1]:-none}/status" 2>/dev/null) || return 1
	[ -n "$state" ] && [ "$state" != Z ]
}

not_running() { ! running "$1"; }

complain() { GUARD_COMPLAINTS+=("$*"); }

reap() { # LABEL STATUS-THAT-IS-FINE...: waits for its end, judges it
	local label=$1 status=0 fine
	shift
	if ! wait_for "${STOP_LIMIT:-20}" not_running "$label"; then
		complain "$label did not end in time and was killed"
		kill -KILL "${PID[$label]}" 2>/dev/null
	fi
	wait "${PID[$label]}" 2>/dev/null || status=$?
	unset "PID[$label]"
	# shellcheck disable=SC2034 # for the script to look at
	STATUS=$status
	[ -n "${DEATH[$label]:-}" ] && return 0
	for fine in "$@"; do
		[ "$status" = "$fine" ] && return 0
	done
	complain "$label ended with status $status"
}

stop() { # LABEL [SIGNAL]: asks it to end and waits; STATUS is how it ended
	local label=$1 sig=${2:-TERM}
	[ -n "${PID[$label]:-}" ] || return 0
	if ! running "$label" && [ -z "${DEATH[$label]:-}" ]; then
		complain "$label had died before it was stopped"
	fi
	kill -"$sig" "${PID[$label]}" 2>/dev/null
	reap "$label" 0 143 130 131
}

expect_death() { # LABEL: whatever becomes of it is what the test wants
	DEATH[$1]=1
}

murder() { # LABEL: kill -9, announced
	expect_death "$1"
	kill -KILL "${PID[$1]}"
	reap "$1"
}

# Signals that workers may die of because the test kills them: a list such as
# "SIGKILL SIGTERM" in EXPECTED_WORKER_DEATHS.
sekishod_complaints() { # FILE
	local bad
	bad=$(grep -E 'SIG(SEGV|ABRT|BUS|ILL|FPE|SYS|TRAP|KILL|TERM)' "$1" |
		grep -E 'worker|lost' || true)
	local fine
	for fine in ${EXPECTED_WORKER_DEATHS:-}; do
		bad=$(grep -v "$fine" <<<"$bad" || true)
	done
	[ -n "$bad" ] && complain "a worker died: $(head -1 <<<"$bad")"
	return 0
}

guard() { # stops what still runs and collects what went wrong
	local label file
	for label in "${!PID[@]}"; do stop "$label"; done
	for label in "${!LOG[@]}"; do
		file=${LOG[$label]}
		[ -e "$file" ] || continue
		if grep -Eq 'Sanitizer:|runtime error:|: bug: ' "$file"; then
			complain "$label: $(grep -Em1 \
				'Sanitizer:|runtime error:|: bug: ' "$file")"
		fi
		case $label in sekishod*) sekishod_complaints "$file" ;; esac
	done
}

finish() {
	local status=$? c hook
	[ "$BASHPID" = "$HOUSE_PID" ] || return
	trap - EXIT
	for hook in "${AT_EXIT[@]}"; do "$hook"; done
	guard
	if [ ${#GUARD_COMPLAINTS[@]} -gt 0 ]; then
		result 1 "every process ended as it should" || true
		for c in "${GUARD_COMPLAINTS[@]}"; do diag "$c"; done
	fi
	if [ "$TESTS_FAILED" -gt 0 ]; then
		for c in "${!LOG[@]}"; do
			diag "--- the end of ${LOG[$c]}:" \
				"$(tail -n 30 "${LOG[$c]}" 2>/dev/null)"
		done
	fi
	if [ -n "${KEEP:-}" ]; then diag "kept $T"; else rm -rf "$T"; fi
	if [ -z "$TESTS_PLANNED" ]; then
		if [ -z "$TESTS_DONE" ]; then
			echo "Bail out! ended in the middle, status $status"
			exit 1
		fi
		echo "1..$TESTS_RUN"
		TESTS_PLANNED=$TESTS_RUN
	fi
	if [ "$TESTS_FAILED" != 0 ] || [ "$TESTS_RUN" != "$TESTS_PLANNED" ]; then
		exit 1
	fi
	exit "$status"
}
AT_EXIT=()		# names of functions a script wants called at its end
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# ------------------------------------------------------------ our own programs
conf_endpoints() { # FILE: what it listens on, one a line
	sed -n 's/^[ \t]*listen[ \t]*=[ \t]*//p' "$1" | tr , '\n' |
		awk '{ print $1 }'
}

# Starts sekishod in the foreground and waits until it listens.  Its log is
# $T/LABEL.out (LABEL: SEKISHOD_LABEL, else "sekishod"), also as $SEKISHO_LOG.
start_sekishod() { # CONF [OPTION...]
	local conf=$1 label=${SEKISHOD_LABEL:-sekishod} e
	shift
	start "$label" "$SEKISHOD" -f -c "$conf" "$@"
	SEKISHO_LOG=$T/$label.out
	for e in $(conf_endpoints "$conf"); do
		if ! wait_for 20 settled "$label" "$e" || ! listens "$e"; then
			diag "$(tail -n 20 "$SEKISHO_LOG")"
			bail "sekishod does not listen on $e"
		fi
	done
}

settled() { # LABEL ENDPOINT: it listens, or will never
	listens "$2" || not_running "$1"
}

stop_sekishod() { stop "${SEKISHOD_LABEL:-sekishod}" "${1:-TERM}"; }

# A child milter played by sekisho-milter on unix:$T/NAME.sock; what it
# received is in $T/NAME.log.
start_child() { # NAME SCRIPT [OPTION...]
	local name=$1 script=$2
	shift 2
	rm -f "$T/$name.sock"
	start "child-$name" "$SEKISHO_MILTER" -s "unix:$T/$name.sock" \
		--log "$T/$name.log" -c "$script" "$@"
	if ! wait_for 20 settled "child-$name" "unix:$T/$name.sock" ||
		! unix_listens "$T/$name.sock"; then
		diag "$(tail -n 20 "$T/child-$name.out")"
		bail "child $name does not listen"
	fi
	# A daemon that gave up its rights connects too.
	chmod 666 "$T/$name.sock"
}

stop_child() { stop "child-$1" "${2:-TERM}"; }

# Plays the MTA, bounded in time; output in $T/mta.out and $T/mta.err, exit
# status (the verdict) also in MTA_STATUS.
mta() {
	MTA_STATUS=0
	timeout -k 5 "${MTA_TIMEOUT:-240}" "$SEKISHO_MTA" "$@" \
		>"$T/mta.out" 2>"$T/mta.err" </dev/null || MTA_STATUS=$?
	return "$MTA_STATUS"
}

need_programs() { # PROGRAM...: they are built; none named: all three
	local p
	[ $# -gt 0 ] || set -- "$SEKISHOD" "$SEKISHO_MTA" "$SEKISHO_MILTER"
	for p; do
		[ -x "$p" ] || bail "not built: $p"
	done
}
