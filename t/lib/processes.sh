# shellcheck shell=bash
# processes.sh - words for scripts about the supervisor and its workers
#
# Sourced after house.sh.  Workers are the children of the supervisor; a crowd
# is one process that plays many MTAs (crowd.py) and is told what to do.

# Workers of the supervisor labelled "sekishod" (or LABEL), one pid a line.
workers() {
	ps --no-headers -o pid= --ppid "${PID[${1:-sekishod}]}" | tr -d ' '
}

worker_count() { workers "$@" | wc -l; }

workers_are() { # NUMBER
	[ "$(worker_count)" = "$1" ]
}

gone() { # PID
	! kill -0 "$1" 2>/dev/null
}

# Settings with the lines given for [server], one milter, unix and inet.
conf() { # FILE LINE...
	local file=$1
	shift
	mkdir -p -m 0700 "$T/spool"
	{
		echo "[server]"
		[[ "$*" == *listen* ]] || echo "listen = unix:$T/s.sock"
		[[ "$*" == *spool_directory* ]] ||
			echo "spool_directory = $T/spool"
		printf '%s\n' "$@"
		echo "[milter one]"
		echo "socket = unix:$T/one.sock"
	} >"$file"
}

ready() { # starts sekishod with $T/s.conf and waits until it says so
	start_sekishod "$T/s.conf" "$@"
	wait_for 10 in_file ': ready$' "$SEKISHO_LOG" ||
		bail "sekishod is not ready"
}

# Sends a signal to a worker; its end is announced by the script.
hit() { # SIGNAL PID
	kill -"$1" "$2" 2>/dev/null
	wait_for 5 gone "$2"
}

# ----------------------------------------------------------------- the crowd
CROWD_PID=
CROWD_WORD=	# its last answer

crowd_start() { # ENDPOINTS COUNT
	coproc CROWD { exec python3 "$SRCDIR/t/lib/crowd.py" "$@" 2>&1; }
	# Bash forgets the array when the process ends; we need the numbers.
	CROWD_IN=${CROWD[1]}
	CROWD_OUT=${CROWD[0]}
	crowd_hear
}

crowd_hear() {
	CROWD_WORD="no answer"
	read -r -t 60 CROWD_WORD <&"$CROWD_OUT" || true
}

crowd() { # WORD [NUMBER]: the answer is in CROWD_WORD
	echo "$*" >&"$CROWD_IN"
	crowd_hear
}

crowd_says() { # ANSWER WORD...: it answers exactly so now
	local want=$1
	shift
	crowd "$@"
	[ "$CROWD_WORD" = "$want" ]
}

crowd_stop() {
	[ -n "$CROWD_PID" ] || return 0
	echo quit >&"$CROWD_IN" 2>/dev/null || true
	wait "$CROWD_PID" 2>/dev/null || true
	CROWD_PID=
}
AT_EXIT+=(crowd_stop)
