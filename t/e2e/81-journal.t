#!/bin/bash
# log = journal: the line, and its fields.  In a mount namespace with a /run of
# its own, where a small program plays the journal.
if [ "$(id -u)" != 0 ] || ! unshare --mount true 2>/dev/null; then
	echo "1..0 # SKIP needs root and a mount namespace"
	exit 0
fi
[ -n "${OWN_RUN:-}" ] ||
	OWN_RUN=1 exec unshare --mount --propagation private "$0" "$@"
mount -t tmpfs none /run && mkdir -p /run/systemd/journal || exit 1
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

cat >"$T/journal.py" <<'P'
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
print("waiting", flush=True)
while True:
    print(s.recv(65536).decode("utf-8", "replace"), flush=True)
P
start journal python3 "$T/journal.py"
wait_for 5 in_file waiting "$T/journal.out"

start_child one ''
mkdir -p -m 0700 "$T/spool"
cat >"$T/j.conf" <<X
[server]
listen = unix:$T/front.sock
spool_directory = $T/spool
workers_min = 1
log = journal
[milter one]
socket = unix:$T/one.sock
X
start_sekishod "$T/j.conf"
ok "it listens" wait_for 10 unix_listens "$T/front.sock"
sent --sender 'anna@example.org'
is "a message passes" "$MTA_STATUS" 0
for field in 'MESSAGE=.* verdict=accept ' 'SEKISHO_VERDICT=accept$' \
	'SEKISHO_SENDER=anna@example.org$' 'SEKISHO_CLIENT=.*\[' \
	'SEKISHO_QUEUE_ID=[^ ]+$' 'PRIORITY=6$' \
	'SYSLOG_IDENTIFIER=sekishod$'; do
	ok "the journal has $field" wait_for 5 in_file "^$field" \
		"$T/journal.out"
done
is "fields go with their own line alone" \
	"$(grep -c '^SEKISHO_VERDICT' "$T/journal.out")" 1
done_testing
