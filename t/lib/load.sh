# shellcheck shell=bash
# load.sh - words for scripts that put sekishod under load
#
# Sourced after house.sh and chain.sh.  A load is one sekisho-mta with many
# sessions in the background; what became of every message is told by
# account.py from the MTA, the log and the children.

LOAD_PID=

load() { # [OPTION of sekisho-mta...]: begins, with its report in $T/load.json
	timeout -k 5 "${LOAD_LIMIT:-240}" "$SEKISHO_MTA" \
		-s "unix:$T/front.sock" --json -t 50s "$@" \
		>"$T/load.json" 2>"$T/load.err" </dev/null &
	LOAD_PID=$!
}

load_goes() { # NUMBER: so many messages have come to an end
	[ "$(wc -l <"$T/load.json")" -ge "$1" ]
}

load_done() { ! kill -0 "$LOAD_PID" 2>/dev/null; }

load_end() { # waits for its end; LOAD_STATUS is how it ended
	LOAD_STATUS=0
	wait "$LOAD_PID" || LOAD_STATUS=$?
	diag "$(tail -n 1 "$T/load.err")"
}

# Every line that is to come has come.  Fewer are no error here: account.py
# tells.
lines_settle() {
	local n=-1 m
	m=$(lines_of ' verdict=' "$SEKISHO_LOG")
	while [ "$m" != "$n" ]; do
		n=$m
		sleep 1
		m=$(lines_of ' verdict=' "$SEKISHO_LOG")
	done
}

declare -A FACT=()
account() { # CHILD...: reads all sides into FACT
	local word number child args=()
	lines_settle
	for child; do args+=("$child=$T/$child.log"); done
	FACT=()
	while read -r word number; do
		FACT[$word]=$number
	done < <(python3 "$SRCDIR/t/lib/account.py" "$T/load.json" \
		"$SEKISHO_LOG" "${args[@]}")
	diag "$(for word in messages accept reject tempfail discard quarantine \
		failure lines lost abort; do
		echo -n "$word ${FACT[$word]:-?}, "
	done)"
}

# What must hold whatever happened.
nothing_wrong() { # DESCRIPTION
	local word wrong=
	for word in missing unaccounted differ doubled unfiltered halfway twice; do
		[ "${FACT[$word]:-none}" = 0 ] || wrong+=" $word=${FACT[$word]:-none}"
	done
	is "$1: every message accounted for, none unfiltered, halfway or twice" \
		"${wrong# }" ""
}
