#!/bin/bash
# No room on the disk, no descriptors, no such directory: the message is put
# off, nothing is halfway, the worker lives.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs

start_child one 'at eom do addheader "X-one" "1"'
start_child two 'at eom do addheader "X-two" "1"'
eml_of() { # FILE KIB: a message with so much body
	{
		printf 'Subject: large\n\n'
		head -c "$(($2 * 1024))" /dev/zero | tr '\0' 'x' | fold -w 76
	} >"$1"
}
eml_of "$T/large.eml" 3000
eml_of "$T/medium.eml" 150

# ---- a full spool
full_spool() { # DESCRIPTION: what must hold with a spool of about 400 KiB
	sent "$T/large.eml"
	is "$1: a message too large for it is put off" "$MTA_STATUS" 11
	like "... with its line" "$(line)" 'verdict=tempfail by=sekisho'
	like "... the MTA is told why" "$(cat "$T/mta.out")" '"reply":"(452|4[0-9][0-9]) |"verdict":"tempfail"'
	unlike "... without an edit" "$(cat "$T/mta.out")" '"edit":'
	sent
	is "... the next message passes" "$MTA_STATUS" 0
	sent "$T/medium.eml"
	is "... also one that fits" "$MTA_STATUS" 0
	rm -f "$T/one.log" "$T/two.log"
	murder child-one
	murder child-two
	start_child one 'at eom do delay 20ms; addheader "X-one" "1"'
	start_child two 'at eom do addheader "X-two" "1"'
	load --sessions 24 --parallel 8 -n 1 "$T/medium.eml" "$T/large.eml" \
		"$T/medium.eml"
	load_end
	# Lines of what is above are in the log too.
	account one two
	is "... under load nothing is halfway or unfiltered" \
		"${FACT[unaccounted]} ${FACT[unfiltered]} ${FACT[halfway]} ${FACT[twice]}" \
		"0 0 0 0"
	is "... everybody gets an answer" \
		"$((FACT[accept] + FACT[tempfail])) ${FACT[failure]}" "72 0"
	ok "... both kinds happened (${FACT[accept]}, ${FACT[tempfail]})" \
		test "${FACT[accept]}" -gt 0 -a "${FACT[tempfail]}" -ge 24
	is "... no worker died" "$(lines_of 'ended by signal|verdict=lost' \
		"$SEKISHO_LOG")" 0
	sent
	is "... afterwards a message passes" "$MTA_STATUS" 0
}

small=$T/small
unmount() { ! mountpoint -q "$small" || umount "$small"; }
AT_EXIT+=(unmount)
mkdir -m 0700 "$small"
if mount -t tmpfs -o size=400k,mode=0700 sekisho-test "$small" 2>/dev/null; then
	front "message_memory=16k;workers_min=8;spool_directory=$small" one two
	full_spool "a full disk"
	is "... nothing stays on it" "$(ls -A "$small")" ""
else
	skip 12 "nothing can be mounted here"
fi

# A limit on the size of files is met by a signal where nobody looks out.
real=$SEKISHOD
limited() { # ULIMIT-OPTION...: sekishod from now on has this limit
	printf '#!/bin/sh\nulimit %s\nexec "%s" "$@"\n' "$*" "$real" \
		>"$T/limited"
	chmod 755 "$T/limited"
	SEKISHOD=$T/limited
}
# In 512 or 1024 bytes, as the shell likes; the shared memory must fit in.
limited -f 40000
eml_of "$T/huge.eml" 48000
front "message_memory=16k;workers_min=4" one two
sent "$T/huge.eml"
is "a limit on files: a message too large for it is put off" "$MTA_STATUS" 11
like "... with its line" "$(line)" 'verdict=tempfail by=sekisho'
sent
is "... the next message passes" "$MTA_STATUS" 0
is "... no worker died" "$(lines_of 'ended by signal|verdict=lost' \
	"$SEKISHO_LOG")" 0
SEKISHOD=$real

# ---- a spool that went away
mkdir -m 0700 "$T/gone"
front "message_memory=16k;spool_directory=$T/gone" one two
rmdir "$T/gone"
sent "$T/medium.eml"
is "no spool: what needs it is put off" "$MTA_STATUS" 11
sent
is "... what does not passes" "$MTA_STATUS" 0
mkdir -m 0700 "$T/gone"
sent "$T/medium.eml"
is "... and when it is there again, all does" "$MTA_STATUS" 0

# ---- no descriptors: as many as an idle worker has, and few more
front '' one two
idle=$(ls "/proc/$(workers "sekishod-$FRONT" | head -1)/fd" | wc -l)
children=()
for i in 1 2 3 4 5 6 7 8 9; do
	children+=("c$i;socket=unix:$T/one.sock")
done
for spare in 3 6; do
	# The highest number in use counts, which may be above the count.
	limited -n $((idle + spare))
	front 'workers_min=2;workers_max=4' "${children[@]}" two
	sent -t 3s
	is "$spare descriptors left, 10 children: put off" "$MTA_STATUS" 11
	like "... with its line" "$(line)" 'verdict=tempfail'
	sent -t 3s
	is "... and again" "$MTA_STATUS" 11
	is "... no worker died" "$(lines_of 'ended by signal|verdict=lost' \
		"$SEKISHO_LOG")" 0
done
limited -n $((idle + 4))
front 'workers_min=2;workers_max=4;message_memory=16k' one two
sent
is "enough for two children: passes" "$MTA_STATUS" 0
SEKISHOD=$real
done_testing
