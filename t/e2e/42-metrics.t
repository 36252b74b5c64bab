#!/bin/bash
# Metrics as Prometheus, a browser and curl ask for them, judged by the
# parsers of others.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

free_port PORT
start_child no 'at eom when chance 1/2 do reject'
start_child plain ''
front "status=unix:$T/status.sock, inet:$PORT@127.0.0.1" \
	plain 'no;mode=evaluate' "two;socket=unix:$T/a.sock, unix:$T/b.sock;on_failure=accept"
for _ in 1 2 3 4 5; do
	mta -s "unix:$T/front.sock" -c 'mail; rcpt; data; body "text\r\n"; eom'
done

http() { # REQUEST [PORT|PATH]: ANSWER is all of it, BODY what is behind the head
	ANSWER=$(timeout 100 python3 "$SRCDIR/t/lib/http_ask.py" \
		"${2:-$PORT}" "$1") || return 1
	BODY=$(sed '1,/^\r*$/d' <<<"$ANSWER")
}
code() { sed -n '1s/^HTTP\/1\.1 \([0-9]*\) [A-Za-z ]*\r*$/\1/p' <<<"$ANSWER"; }
field() { # NAME
	sed -n "/^\r*$/q; s/^$1: //Ip" <<<"$ANSWER" | tr -d '\r'
}
length_fits() {
	[ "$(printf '%s\n' "$BODY" | wc -c)" = "$(field Content-Length)" ]
}
GET='GET /metrics HTTP/1.1\r\nHost: localhost\r\n'
OPEN='Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n'

# ---------------------------------------------------------------------- HTTP
ok "GET /metrics" http "$GET\r\n"
is "is answered" "$(code)" 200
is "as text 0.0.4" "$(field Content-Type)" \
	"text/plain; version=0.0.4; charset=utf-8"
ok "with its length" length_fits
is "and closes" "$(field Connection)" close
printf '%s\n' "$BODY" >"$T/old.txt"
ok "GET with OpenMetrics" http "$GET$OPEN\r\n"
is "is answered as such" "$(field Content-Type)" \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"
ok "with its length" length_fits
printf '%s\n' "$BODY" >"$T/open.txt"
is "and its end" "$(tail -n 1 "$T/open.txt")" "# EOF"
ok "over the unix socket too" http "$GET\r\n" "$T/status.sock"
is "as well" "$(code)" 200
while IFS='|' read -r request wanted; do
	http "$request"
	is "$request" "$(code)" "$wanted"
done <<'E2'
HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n|200
GET / HTTP/1.0\r\n\r\n|200
GET /metrics?a=b HTTP/1.0\r\n\r\n|200
GET /other HTTP/1.1\r\nHost: a\r\n\r\n|404
POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nstatus\n|405
GET /metrics HTTP/1.1\r\n\r\n|400
GET nonsense HTTP/1.0\r\n\r\n|400
E2
http "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
is "HEAD has no body" "$BODY" ""
ok "but its length" test "$(field Content-Length)" -gt 1000
http "POST / HTTP/1.1\r\nHost: a\r\n\r\n"
is "405 says what is allowed" "$(field Allow)" "GET, HEAD"
long=$(printf 'X%.0s' {1..9000})
http "GET / HTTP/1.1\r\nHost: a\r\nX: $long\r\n\r\n"
is "too long a head" "$(code)" 431
http "GET /$long HTTP/1.1\r\nHost: a\r\n\r\n"
is "too long a first line" "$(code)" 431
like "a line is answered over inet too" \
	"$(python3 - "$PORT" <<'E3'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
s.sendall(b"status\nmilters\n")
s.shutdown(socket.SHUT_WR)
print(b"".join(iter(lambda: s.recv(65536), b"")).decode())
E3
)" '^no +evaluate'

# ---------------------------------------------- as others read what is said
value() { # FILE SERIES
	awk -v s="$2" 'index($0, s " ") == 1 { print $NF }' "$1"
}
for f in old open; do
	is "$f: messages" "$(value "$T/$f.txt" sekisho_messages_total)" 5
	is "$f: what became of them" "$(value "$T/$f.txt" \
		'sekisho_verdicts_total{stage="eom",verdict="accept",cause="none"}')" 5
	is "$f: a milter's messages" "$(value "$T/$f.txt" \
		'sekisho_milter_messages_total{milter="no"}')" 5
	is "$f: a milter's times" "$(value "$T/$f.txt" \
		'sekisho_milter_answer_seconds_count{milter="plain",stage="eom"}')" 5
	is "$f: all buckets" "$(value "$T/$f.txt" \
		'sekisho_milter_answer_seconds_bucket{milter="plain",stage="eom",le="+Inf"}')" 5
	is "$f: its mode" "$(value "$T/$f.txt" \
		'sekisho_milter_mode{milter="no",mode="evaluate"}')" 1
	is "$f: version" "$(grep -c '^sekisho_build_info{version=".*"} 1$' \
		"$T/$f.txt")" 1
	is "$f: no sample twice" "$(grep -v '^#' "$T/$f.txt" |
		sed 's/ [^ ]*$//' | sort | uniq -d)" ""
done
if command -v promtool >/dev/null; then
	ok "promtool has nothing to say against it" \
		promtool check metrics <"$T/old.txt"
else
	skip 1 "no promtool (package prometheus)"
fi
PYTHON=
for p in python3 /usr/bin/python3; do
	"$p" -c 'import prometheus_client' 2>/dev/null && PYTHON=$p && break
done
parsed() { # MODULE FILE: families and samples
	"$PYTHON" - "$@" <<'E3'
import importlib, sys
m = importlib.import_module(sys.argv[1])
families = list(m.text_string_to_metric_families(open(sys.argv[2]).read()))
print(len(families) > 40, sum(len(f.samples) for f in families) > 200)
E3
}
if [ -n "$PYTHON" ]; then
	is "the OpenMetrics parser takes it" \
		"$(parsed prometheus_client.openmetrics.parser "$T/open.txt")" \
		"True True"
	is "the parser of the old format too" \
		"$(parsed prometheus_client.parser "$T/old.txt")" "True True"
else
	skip 2 "no python3-prometheus-client"
fi
done_testing
