#!/bin/bash
# sekishoctl explain: which milters and rules apply, and why, without any
# daemon; its exit status is for scripts.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

CTL=${SEKISHOCTL:-$BUILDDIR/sekishoctl}
[ -x "$CTL" ] || bail "no $CTL"

cat >"$T/t.conf" <<END
[server]
listen = unix:$T/s.sock
spool_directory = $T
[milter greylist]
socket = unix:/greylist
when = s25r and not authenticated
[milter clamav]
socket = unix:/clamav
[milter spamass]
socket = unix:/spamass
when = size < 1k and remote_network
[milter night]
socket = unix:/night
when = not office_hours
[milter own]
socket = unix:/own
when = recipient in ours
recipients = own
[milter all]
socket = unix:/all
when = recipient in ours
recipients = all
[milter behind]
socket = unix:/behind
when = milter(spamass) = reject
  or header_now("X-Spam") = yes
[milter off]
socket = unix:/off
mode = off
[condition office_hours]
is = weekday in mon-fri and time in 08:00-20:00
[table ours]
source = inline: .example.org, ann@example.net
[rule trust]
[rule stress]
[rule block]
when = sender = eve@example.com
action = log eve again
action = reject 554 5.7.0 {sender} is not wanted
[rule nobody]
when = recipient = nobody@example.org
action = reject 5.1.1 no {recipient}
[rule held]
when = header("Subject") ~ /^held/
action = quarantine held for {header("Subject")}
action = header X-Held: yes
action = skip clamav
action = score 2.5
[rule late]
when = milter(behind) = tempfail
action = tempfail
END

printf 'From: a\nSubject: hello\nX-Spam: yes\n\nbody\n' >"$T/plain.eml"
printf 'Subject: =?utf-8?q?held_back?=\n\nbody\n' >"$T/held.eml"
{
	printf 'Subject: large\n\n'
	head -c 5000 /dev/zero | tr '\0' 'x'
	printf '\n'
} >"$T/large.eml"

explain() { # ARGS: $out, $err, $status
	status=0
	"$CTL" explain -c "$T/t.conf" "$@" >"$T/out" 2>"$T/err" || status=$?
	out=$(cat "$T/out") err=$(cat "$T/err")
}

of() { # NAME ARGS...: only the first line about it
	explain --of "$@"
	out=$(grep -E '^(milter|rule) ' "$T/out")
}

# ------------------------------------------------- what is known from when on
of greylist --client 203.0.113.9 --name mx.example.org
is "a condition that is false at connect is told there" \
	"$out/$status" 'milter greylist: does not apply, known at connect/20'
of greylist --client 203.0.113.9 --name unknown
is "what waits for the login is not known at connect" "$out/$status" \
	'milter greylist: not known at helo, the last stage played/21'
of greylist --client 203.0.113.9 --name unknown --from a@example.org
is "and known at mail" "$out/$status" \
	'milter greylist: applies, from mail on/0'
like "the part that decided is named, with its condition" "$(cat "$T/out")" \
	'^    client_name = unknown: true \(in condition s25r_no_name\)$'
of greylist --client 203.0.113.9 --name unknown --auth bob
is "a login is taken into account" "$out/$status" \
	'milter greylist: does not apply, known at mail/20'
like "a sender that was made up is told" "$(cat "$T/out")" \
	"^made up: --from '<sender@example.org>'"
of clamav
is "a milter without condition always applies" "$out/$status" \
	'milter clamav: always applies/0'
of off
like "a milter that is switched off is told" "$(cat "$T/out")" 'mode = off'

# --------------------------------------------------------- message, time, load
of spamass --client 203.0.113.9 "$T/plain.eml"
is "a small message" "$out/$status" 'milter spamass: applies, from eom on/0'
of spamass --client 203.0.113.9 "$T/large.eml"
is "a large one is known before its end" "$out/$status" \
	'milter spamass: does not apply, known at body/20'
of spamass --client 10.0.0.1 "$T/plain.eml"
is "a client of ours" "$out/$status" \
	'milter spamass: does not apply, known at connect/20'
of spamass --client 203.0.113.9 - <"$T/plain.eml"
is "the message may come from stdin" "$status" 0

for t in 'Mon 03:00' 'sun 12:00' '2026-11-21T12:00' '2026-11-20 20:00:01'; do
	of night --at "$t"
	is "night at $t" "$status" 0
done
for t in 'Mon 08:00' 'Fri 19:59:59' '2026-11-20T12:00'; do
	of night --at "$t"
	is "day at $t" "$status" 20
done
for t in 'Mon 25:00' 'Mun 03:00' '2026-02-30T03:00' '3' '03:00x'; do
	explain --at "$t"
	is "\"$t\" is no time" "$status/$(grep -c "write 'Mon 03:00'" \
		"$T/err")" 2/1
done
of stress --load 74
is "no stress" "$status" 20
of stress --load 75
is "stress" "$status" 0
like "its macro is told" "$(cat "$T/out")" \
	'^at mail, rule stress: macro \{stress\}=yes$'

# ------------------------------------------------------------------ recipients
of own --rcpt x@example.com --rcpt ann@example.net --rcpt y@a.example.org
is "own: it applies to some" "$status" 0
like "and those are named" "$(cat "$T/out")" \
	'^    for ann@example\.net, y@a\.example\.org$'
of all --rcpt x@example.com --rcpt ann@example.net
is "all: one who is not ours, and it does not apply" "$status" 20
of all --rcpt ann@example.net --rcpt '<y@a.example.org>'
is "all: only ours, and it does" "$status" 0
of nobody --rcpt ann@example.net --rcpt nobody@example.org
is "a rule fires for the recipient at hand" "$status" 0
like "and says so" "$(cat "$T/out")" '^at rcpt of nobody@example\.org, rule nobody: reject 550 5\.1\.1 no nobody@example\.org$'
explain --rcpt nobody@example.org "$T/plain.eml"
is "without any recipient left the message is rejected" "$status" 10
like "in words" "$out" '^rules: no recipient is left$'
like "and nothing behind is known" "$out" \
	'^milter spamass: .* (connect|rcpt)'

# ----------------------------------------------------------------------- rules
explain --from eve@example.com "$T/plain.eml"
is "a rule rejects: status 10" "$status" 10
like "with its text" "$out" '^at mail, rule block: reject 554 5\.7\.0 eve@example\.com is not wanted$'
like "and its log line" "$out" '^at mail, rule block: log eve again$'
like "which is the verdict" "$out" '^rules: reject at mail by rule block$'
explain --client 203.0.113.9 --from a@gmail.com "$T/held.eml"
is "a rule holds: status 13" "$status" 13
like "the reason has the decoded subject" "$out" \
	'^at header, rule held: quarantine held for held back$'
like "a header is told" "$out" '^at header, rule held: header X-Held: yes$'
like "points are told" "$out" '^at header, rule held: score 2\.5$'
like "a milter that is skipped is told there, too" "$out" \
	'^    skipped by rule held at header$'
like "a built-in rule that has its section" "$out" \
	'^at mail, rule trust: macro \{trusted_domain\}=yes$'
of clamav "$T/held.eml"
is "and does not apply" "$status" 20

# --------------------------------------------------------- milters supposed
of behind "$T/plain.eml" --client 203.0.113.9
is "a header that is there at the end decides" "$status" 0
of behind "$T/held.eml" --client 203.0.113.9
is "what a milter says is not known" "$out/$status" \
	'milter behind: not known at eom, the last stage played/21'
of behind "$T/held.eml" --client 203.0.113.9 --milter spamass=reject
is "unless it is supposed" "$out/$status" \
	'milter behind: applies, from eom on/0'
of behind "$T/held.eml" --client 203.0.113.9 --milter spamass=continue
is "the other way round" "$status" 20
explain "$T/held.eml" --milter behind=tempfail
is "a rule behind milters" "$status" 11
explain --milter spamas=reject
is "an unknown milter is wrong usage" "$status" 2
explain --milter spamass=no
like "and so is a word no milter says" "$status $err" '^2 .*no word of a milter'

# ------------------------------------------------------------------------ JSON
explain --json --client 203.0.113.9 --name 'x"y\z' --from a@gmail.com \
	--rcpt ann@example.net --at 'Mon 03:00' "$T/held.eml"
if command -v python3 >/dev/null; then
	is "JSON is JSON and says the same" "$(python3 - "$T/out" <<'END'
import json, sys
e = json.load(open(sys.argv[1]))
m = {i["name"]: i for i in e["milters"]}
r = {i["name"]: i for i in e["rules"]}
print(e["schema"], e["reached"], len(m), len(r), m["greylist"]["answer"],
      m["own"]["recipients"], m["clamav"]["skipped_by"],
      r["trust"]["stage"], e["verdict"]["kind"], len(e["events"]),
      m["night"]["reasons"][0]["condition"])
END
)" "1 eom 8 6 false ['ann@example.net'] held mail quarantine 5 office_hours"
else
	skip 1 "no python3"
fi

printf '[milter m]\nsocket = unix:/m\nwhen = client_name = "é"\n' >"$T/utf8.conf"
like "... UTF-8 comes out as it is" "$("$CTL" explain -c "$T/utf8.conf" --json \
	--client 192.0.2.1 --name x)" '"client_name = \\"é\\""'

# ----------------------------------------------------------------------- usage
explain --of nothing
is "an unknown name is wrong usage" "$status" 2
explain --clnt x
is "an unknown option is, too" "$status" 2
explain --client 192.0.2
is "and an address that is none" "$status/$err" \
	'2/sekishoctl: 192.0.2: this is no address'
explain a b
is "and two messages" "$status" 2
explain "$T/none.eml"
is "a message that cannot be read is a failure" "$status" 3
status=0
"$CTL" explain -c "$T/none.conf" 2>/dev/null || status=$?
is "settings that cannot be read are refused" "$status" 1
status=0
"$CTL" check -c "$T/t.conf" >"$T/out" || status=$?
is "check says ok" "$status/$(cat "$T/out")" 0/ok
"$CTL" config -c "$T/t.conf" >"$T/config" 2>/dev/null
status=0
"$CTL" config -c "$T/config" >"$T/again" || status=$?
is "what config prints are settings that print the same" \
	"$status/$(cmp "$T/config" "$T/again" && echo same)" 0/same
"$CTL" config -n -c "$T/t.conf" >"$T/changed" 2>/dev/null
"$CTL" config -c "$T/changed" >"$T/again" 2>/dev/null
is "and so are those that differ from the defaults" \
	"$(cmp "$T/config" "$T/again" && echo same)" same
is "config -b knows what is built in" \
	"$("$CTL" config -b | grep -c '^\[')" 18
status=0
"$CTL" nonsense >/dev/null 2>&1 || status=$?
is "an unknown verb" "$status" 2

if command -v mandoc >/dev/null; then
	is "the manual is clean" "$(mandoc -Tlint -W warning \
		"$SRCDIR/doc/sekishoctl.8" 2>&1 |
		grep -v 'outdated mandoc.db')" ''
else
	skip 1 "mandoc is not installed"
fi
# Options that the manual does not know would never be found.
is "the manual knows every option of explain" "$(comm -3 \
	<(sed -nE 's/.*OPT_[A-Z_]+, *"([a-z-]+)".*/\1/p' \
		"$SRCDIR/tool/explain_options.c" | grep -vx config | sort) \
	<(sed '1,/^\.Ss explain/d; /^\.Sh EXIT/,$d' "$SRCDIR/doc/sekishoctl.8" |
		sed -nE 's/.*Fl -([a-z-]+).*/\1/p' | sort -u))" ''
done_testing
