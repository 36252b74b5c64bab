# shellcheck shell=bash
# chain.sh - words for scripts about played children behind one sekishod
#
# Sourced after house.sh.
#
#   start_child a 'at rcpt do reject'
#   front 'step_deadline=2s' 'a;order=strict' b
#   played "what must hold" 'mail; rcpt; expect reject' [OPTION of sekisho-mta...]
#   is "a hears no more" "$(heard a)" "connect helo mail rcpt abort"
#   like "the line" "$(line)" 'a=released'

FRONT=0		# how many were started
BEFORE=0	# log lines with a verdict before the last `played`
declare -A HEARD_BEFORE=()

# A new sekishod with these children in front of what is played next; the one
# before it is stopped.  Its first argument are lines for [server], the others
# children with settings of theirs, all separated by semicolons.
front() { # SERVER-LINES NAME[;KEY=VALUE...]...
	local file=$T/front.conf child name
	[ "$FRONT" = 0 ] || SEKISHOD_LABEL=sekishod-$FRONT stop_sekishod
	FRONT=$((FRONT + 1))
	mkdir -p -m 0700 "$T/spool"
	{
		echo "[server]"
		echo "listen = unix:$T/front.sock $FRONT_OPTIONS"
		[[ "$1" == *spool_directory* ]] ||
			echo "spool_directory = $T/spool"
		[[ "$1" == *workers_min* ]] ||
			printf 'workers_min = 1\nspare_min = 1\n'
		tr ';' '\n' <<<"$1"
		shift
		for child; do
			name=${child%%;*}
			echo "[milter $name]"
			[[ "$child" == *socket=* ]] ||
				echo "socket = unix:$T/$name.sock"
			# What it hears is known when it is let go.
			[[ "$child" == *reuse=* ]] || echo "reuse = no"
			tr ';' '\n' <<<"${child#"$name"}"
		done
	} >"$file"
	SEKISHOD_LABEL=sekishod-$FRONT start_sekishod "$file"
	wait_for 10 in_file ': ready$' "$SEKISHO_LOG" ||
		bail "sekishod is not ready"
	BEFORE=0
}
FRONT_OPTIONS= # of the listener, such as mta=sendmail

# ------------------------------------------------------------------- playing
mark() { # what follows is heard anew
	local file
	BEFORE=$(lines_of ' verdict=' "$SEKISHO_LOG")
	for file in "$T"/*.log; do
		[ -e "$file" ] &&
			HEARD_BEFORE[$file]=$(wc -l <"$file")
	done
	return 0
}

# One session told by a script; all its expectations must hold.
played() { # DESCRIPTION SCRIPT [OPTION...]
	local what=$1 script=$2
	shift 2
	mark
	mta -s "unix:$T/front.sock" -t 60s -c "$script" "$@"
	case $MTA_STATUS in
	0 | 10 | 11 | 12 | 13) result 0 "$what" ;;
	*)
		result 1 "$what" || diag "status $MTA_STATUS" \
			"$(tail -n 25 "$T/mta.out")" "$(cat "$T/mta.err")"
		;;
	esac
}

# Whole messages, told by options; the verdict is MTA_STATUS, the report JSON.
sent() { # [OPTION...]
	mark
	mta -s "unix:$T/front.sock" -t 60s --json "$@" || true
}

mta_verdict() { # of the last sent message, in a word, with its stage
	sed -n 's/.*"verdict":"\([a-z]*\)","stage":"\([a-z]*\)".*/\1@\2/p' \
		"$T/mta.out" | tail -1
}

new_lines() { # NUMBER: so many lines with a verdict are new
	[ "$(lines_of ' verdict=' "$SEKISHO_LOG")" -ge $((BEFORE + $1)) ]
}

line() { # [NUMBER]: that one of the lines the last play left in the log
	wait_for "${LINE_LIMIT:-10}" new_lines "${1:-1}" || return 1
	grep ' verdict=' "$SEKISHO_LOG" | sed -n "$((BEFORE + ${1:-1}))p"
}

# ------------------------------------------------------------------- hearing
log_since() { # NAME: what its log got since the last play
	local file=$T/$1.log
	tail -n "+$((${HEARD_BEFORE[$file]:-0} + 1))" "$file"
}

all_closed() { # NAME: every connection opened since then is closed again
	local opens closes
	opens=$(log_since "$1" | grep -c '^s[0-9]* open')
	closes=$(log_since "$1" | grep -cE '^s[0-9]+( m[0-9]+)? (close|error|kill|exit)')
	[ "$opens" = "$closes" ]
}

# The commands it heard, a row of recipients, headers or chunks told once, "|"
# between two connections.
heard() { # NAME
	wait_for 10 all_closed "$1" || diag "$1: a connection stays open" >&2
	log_since "$1" | awk '
		$2 ~ /^m[0-9]+$/ { $2 = ""; $0 = $0 }
		$2 == "open" { if (n++) printf " |"; last = "|"; next }
		$2 ~ /^(connect|helo|mail|rcpt|data|header|eoh|body|eom|abort|unknown)$/ {
			if ($2 != last || $2 !~ /^(rcpt|header|body)$/)
				printf "%s%s", sep, $2
			last = $2; sep = " " }'
}

heard_rcpts() { # NAME: the recipients, as they came
	wait_for 10 all_closed "$1" || diag "$1: a connection stays open" >&2
	log_since "$1" | sed -nE 's/^s[0-9]+ m[0-9]+ rcpt <?([^ >]*).*/\1/p' |
		paste -sd' '
}

header_heard() { # NAME HEADER: its values as they came, one a line
	log_since "$1" | sed -nE "s/^s[0-9]+ m[0-9]+ header $2 //p"
}
