#!/bin/bash
# New settings while mail is running.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs

for c in one two three; do
	start_child $c "at eom do addheader \"X-$c\" \"1\""
done

settings() { # SERVER-LINES MILTER...
	{
		echo "[server]"
		echo "listen = unix:$T/front.sock"
		echo "spool_directory = $T/spool"
		tr ';' '\n' <<<"$1"
		shift
		for c; do
			printf '[milter %s]\nsocket = unix:%s\n' "$c" "$T/$c.sock"
		done
	} >"$T/s.conf"
}

GENERATION=1
reload() { # DESCRIPTION REGEX: it is well, and the log says that it changed
	GENERATION=$((GENERATION + 1))
	kill -HUP "${PID[sekishod]}"
	ok "$1" wait_for 20 in_file \
		"settings read again, generation $GENERATION: $2" "$SEKISHO_LOG"
}

REFUSED=0
refused() { # DESCRIPTION
	REFUSED=$((REFUSED + 1))
	kill -HUP "${PID[sekishod]}"
	wait_for 20 refused_so_often
	is "$1" "$(lines_of 'reload refused' "$SEKISHO_LOG")" "$REFUSED"
}
refused_so_often() {
	[ "$(lines_of 'reload refused' "$SEKISHO_LOG")" -ge "$REFUSED" ]
}

board() { python3 "$SRCDIR/t/lib/board.py" "${PID[sekishod]}"; }
one_mail() {
	mta -s "unix:$T/front.sock" -t 20s
}
none_of() { # PID...: they have all gone
	local p
	for p; do ! kill -0 "$p" 2>/dev/null || return 1; done
}

mkdir -m 0700 "$T/spool"
settings 'workers_min=2;workers_max=12;spare_min=1' one two
start_sekishod "$T/s.conf"
wait_for 10 in_file ': ready$' "$SEKISHO_LOG"
ok "mail passes" one_mail
mapfile -t OLD < <(workers)

# ---- what changes, what does not
settings 'workers_min=3;workers_max=50;spare_min=1;log_level=debug' two three
reload "settings are read again and what changed is told" \
	'server: log_level, workers_min; milter one: removed; milter three: added; only a restart changes workers_max$'
ok "the idle workers with older settings go" \
	wait_for 10 none_of "${OLD[@]}"
ok "and as many as the new settings want are there" wait_for 10 workers_are 3
ok "mail passes" one_mail
like "through the milters of the new settings" \
	"$(grep 'verdict=accept' "$SEKISHO_LOG" | tail -n 1)" 'two=.* three='
settings 'workers_min=3;workers_max=12;spare_min=1' three two one
reload "another order is told, too" 'server: log_level; milter one: added; milter: other order$'
ok "mail passes" one_mail
is "each milter kept its numbers by name, wherever it stands" \
	"$(board | grep -v counter | cut -d ' ' -f 2- | sort | tr '\n' ';')" \
	"one 2;three 2;two 3;"
reload "nothing changed" 'nothing changed$'
is "reloads are counted" "$(board | grep reloads)" "counter reloads 3"

# ---- what is wrong
settings 'workers_min=many;spare_min=1;nonsense=1' one two
echo 'socket = bad' >>"$T/s.conf"
mapfile -t OLD < <(workers)
refused "bad settings are refused"
like "with the first problem" "$(cat "$SEKISHO_LOG")" 's.conf:4: "many" for'
like "and the next" "$(cat "$SEKISHO_LOG")" 's.conf:6: unknown key "nonsense"'
like "and the last" "$(cat "$SEKISHO_LOG")" \
	's.conf:[0-9]*: "socket" in .milter two. is given twice'
is "the workers stay" "$(workers | tr '\n' ' ')" "${OLD[*]} "
ok "mail passes as before" one_mail
like "through all three" \
	"$(grep 'verdict=accept' "$SEKISHO_LOG" | tail -n 1)" \
	'three=.* two=.* one='
settings 'workers_min=3;spare_min=1' one
sed -i "s,^spool_directory.*,spool_directory = $T/nowhere," "$T/s.conf"
refused "so is a spool that is not there"
mv "$T/s.conf" "$T/away"
refused "so is a file that is not there"

# ---- more names than cells: each reload brings 40 new ones, sessions hold on
crowd_start "unix:$T/front.sock" 1
many() { # PREFIX
	settings 'workers_min=1;workers_max=12;spare_min=1'
	for i in {1..40}; do
		printf '[milter %s%s]\nsocket = unix:%s\nmode = off\n' \
			"$1" "$i" "$T/one.sock"
	done >>"$T/s.conf"
}
many a
reload "forty milters find their places" 'server: workers_min; milter three: removed'
many b
refused "forty others do not, while old workers hold on"
like "in words" "$(cat "$SEKISHO_LOG")" 'all 64 places for milters are taken'
crowd_stop
settings 'workers_min=3;workers_max=12;spare_min=1' one two three
reload "the names that were there first come back" \
	'server: workers_min; milter a1: removed'
is "to the numbers they had" "$(board | grep -E ' (one|two|three) ' |
	cut -d ' ' -f 2- | sort | tr '\n' ';')" "one 3;three 3;two 4;"
stop_sekishod
is "and all ends well" "$STATUS" 0

# ---- under load: nothing is refused, nothing is cut
for max in 12 3; do
	settings "workers_min=3;workers_max=$max;spare_min=1" one two
	rm -f "$SEKISHO_LOG" "$T"/one.log "$T"/two.log
	stop_child one; stop_child two
	start_child one 'at eom do delay 5ms; addheader "X-one" "1"'
	start_child two 'at eom do addheader "X-two" "1"'
	start_sekishod "$T/s.conf"
	wait_for 10 in_file ': ready$' "$SEKISHO_LOG"
	GENERATION=1
	load --sessions 300 --parallel 6 -n 2
	for n in 20 80 140 200 260 320 380 440; do
		wait_for 30 load_goes "$n" || break
		settings "workers_min=$((3 - n % 3));workers_max=$max;spare_min=1" \
			one two
		reload "a reload after $n messages" ''
	done
	load_end
	account one two
	is "workers_max $max: eight reloads under load: all is well" \
		"$LOAD_STATUS" 0
	is "... every message was accepted" "${FACT[accept]}" 600
	nothing_wrong "... "
	is "... nobody died" "$(lines_of 'ended by|lost' "$SEKISHO_LOG")" 0
	stop_sekishod
done

# ---- a resolver that does not answer: the supervisor does not wait with it
cat >"$T/slow.c" <<'C'
#define _GNU_SOURCE
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Waits until the file is there, then knows every name. */
int getaddrinfo(const char *host, const char *port,
		const struct addrinfo *hints, struct addrinfo **list)
{
	static int (*next)(const char *, const char *, const struct addrinfo *,
			   struct addrinfo **);
	extern void *dlsym(void *, const char *);

	if (!next)
		*(void **)&next = dlsym((void *)-1l, "getaddrinfo");
	if (host && strcmp(host, "slow.example") == 0) {
		while (access(getenv("SLOW_FILE"), F_OK) != 0)
			usleep(10000);
		host = "127.0.0.1";
	}
	return next(host, port, hints, list);
}
/* While the other file is there, who has checked the settings stays. */
void _exit(int code)
{
	char name[16];

	prctl(PR_GET_NAME, name);
	if (strcmp(name, "sekisho-reload") == 0 &&
	    access(getenv("STAY_FILE"), F_OK) == 0) {
		close(3);
		for (;;)
			pause();
	}
	syscall(SYS_exit_group, code);
	__builtin_unreachable();
}
C
if nm "$SEKISHOD" 2>/dev/null | grep -q __asan_init ||
	! ${CC:-cc} -shared -fPIC -o "$T/slow.so" "$T/slow.c" -ldl 2>"$T/cc.err"
then
	skip 10 "nothing can be preloaded here"
	done_testing
	exit
fi
export SLOW_FILE=$T/answer STAY_FILE=$T/stay
settings 'workers_min=2;workers_max=6;spare_min=1' one
rm -f "$SEKISHO_LOG"
LD_PRELOAD=$T/slow.so start_sekishod "$T/s.conf"
wait_for 10 in_file ': ready$' "$SEKISHO_LOG"
GENERATION=1
printf '[milter slow]\nsocket = inet:9@slow.example\nmode = off\n' >>"$T/s.conf"
kill -HUP "${PID[sekishod]}"
checker() { pgrep -P "${PID[sekishod]}" -x sekisho-reload >/dev/null; }
ok "the resolver is asked aside" wait_for 10 checker
victim=$(pgrep -P "${PID[sekishod]}" -x sekisho-worker | head -n 1)
EXPECTED_WORKER_DEATHS=SIGKILL
ok "meanwhile the supervisor reaps" hit KILL "$victim"
ok "and forks" wait_for 10 in_file 'ended by signal SIGKILL' "$SEKISHO_LOG"
ok "and mail passes" one_mail
kill -KILL "$(pgrep -P "${PID[sekishod]}" -x sekisho-reload)"
ok "a check that dies is a refusal" wait_for 10 in_file \
	'the process that checks the settings died' "$SEKISHO_LOG"
kill -HUP "${PID[sekishod]}"
wait_for 10 checker
kill -HUP "${PID[sekishod]}"
kill -HUP "${PID[sekishod]}"
: >"$T/answer"
ok "when it answers, the settings are in force" wait_for 10 in_file \
	'generation 2: milter slow: added' "$SEKISHO_LOG"
ok "who asked meanwhile gets one more reload" wait_for 10 in_file \
	'generation 3: nothing changed' "$SEKISHO_LOG"
no_checker() { ! checker; }
: >"$T/stay"
kill -HUP "${PID[sekishod]}"
ok "one that says all and does not end has said all" wait_for 10 in_file \
	'generation 4: nothing changed' "$SEKISHO_LOG"
ok "... and is not left behind" wait_for 10 no_checker
rm "$T/stay"
rm "$T/answer"
kill -HUP "${PID[sekishod]}"
wait_for 10 checker
stop_sekishod
is "a stop does not wait for it" "$STATUS" 0
done_testing
