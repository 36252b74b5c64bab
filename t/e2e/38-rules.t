#!/bin/bash
# Rules: every action at the scopes it may have, the order in which they fire,
# and what they cannot undo.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs
rule() { # NAME WHEN ACTION...: settings for `front`
	printf ';[rule %s];when=%s' "$1" "$2"
	shift 2
	printf ';action=%s' "$@"
}
start_child c ''
start_child adds 'at eom do addheader "X-Child" "1"; quarantine "child holds"'
start_child no 'at eom do reply "550 5.7.1 child says no"'
printf 'Subject: a test\nX-Spam: yes\n\nbody\n' >"$T/mail.eml"

# ---- reject and tempfail: at each stage, with each form of text
while IFS='|' read -r when at verdict reply action; do
	front '' "c$(rule r "$when" "$action")"
	sent -m 'mail:{auth_authen}=anna' "$T/mail.eml"
	is "$action when $when" "$(mta_verdict)" "$verdict@$at"
	like "... in these words" "$(line)" \
		"verdict=$verdict by=sekisho stage=[a-z]* rule=r reply=\"$reply\""
	unlike "... and the child was not asked about it" "$(heard c)" "$at|eom"
done <<'END'
sender = sender@example.org|mail|reject|550 5.7.1 .*|reject
authenticated|mail|reject|554 5.7.0 not you|reject 554 5.7.0 not you
authenticated|mail|reject|550 5.7.1 only words|reject only words
recipient_count = 1|data|tempfail|451 4.7.1 later|tempfail later
recipient_count = 1|data|tempfail|450 4.2.0 later|tempfail 450 4.2.0 later
header("X-Spam") = yes|eom|reject|550 5.7.1 .*|reject
size < 1M|eom|tempfail|451 4.7.1 .*|tempfail
size < 1M|eom|reject|550 5.7.1 from sender@example.org: 100%% a test|reject from {sender}: 100% {header("Subject")}
sender|mail|reject|550 5.7.1 a {brace}|reject "a {{brace}"
END

# The connection: every later command gets the same.
front '' "c$(rule r "client_addr in 192.0.2.0/24" 'reject 554 5.7.1 go away')"
played "reject at connect: for all that follows" \
	'connect; expect reply "554 5.7.1 go away"
	helo; mail; expect reply "554 5.7.1 go away"
	abort; mail; expect reply "554 5.7.1 go away"'
is "... no child was connected to" "$(log_since c)" ""
front '' "c$(rule r 'recipient = no@x.test' 'reject 550 5.1.1 no {recipient}')"
played "reject at rcpt: that one only" \
	'rcpt "<yes@x.test>"; expect continue
	rcpt "<no@x.test>"; expect reply "550 5.1.1 no no@x.test"
	rcpt "<also@x.test>"; expect continue
	rcpt "<no@x.test>"; expect reply "550 5.1.1 no no@x.test"
	eom; expect continue'
is "... which the child does not hear of" "$(heard_rcpts c)" \
	"yes@x.test also@x.test"
played "... and each message anew" \
	'rcpt "<no@x.test>"; expect reply "550*"; abort
	mail; rcpt "<no@x.test>"; expect reply "550*"
	rcpt "<yes@x.test>"; eom; expect continue'

front '' "c$(rule r 'macro({rcpt_host}) = b.test' 'reject 550 5.1.1 not at {macro("{rcpt_host}")}')"
played "by a macro of the recipient: that one only" \
	'rcpt "<x@a.test>"; expect continue
	rcpt "<y@b.test>"; expect reply "550 5.1.1 not at b.test"
	eom; expect continue'
is "... the refused one is not heard of" "$(heard_rcpts c)" "x@a.test"

# ---- discard
front '' "c$(rule r 'sender' discard)"
sent
is "discard" "$(mta_verdict)" discard@mail
front '' "no$(rule r 'header("X-Spam") = yes' discard)"
sent "$T/mail.eml"
is "discard by content, before any child is asked" "$(mta_verdict)" \
	discard@eom
front '' "c$(rule r 'client_addr' discard)"
played "discard at connect: each message" \
	'connect; expect continue; mail; expect discard'

# ---- accept: the connection, the message; what was asked for stands
front '' "no$(rule r 'client_addr' accept)"
sent "$T/mail.eml"
is "accept at connect: no child is asked" "$(mta_verdict)|$(log_since no)" \
	"accept@eom|"
front '' "no$(rule r 'client_addr' accept)$(rule late 'sender' reject)"
sent
is "... nor any rule" "$(mta_verdict)" accept@eom
front '' "no$(rule r 'sender = a@x.test' accept)$(
	rule late 'sender = a@x.test and recipient' reject)"
played "accept at mail: that message" \
	'mail "<a@x.test>"; rcpt; eom; expect continue
	mail "<b@x.test>"; rcpt; eom; expect reply "550*"'
is "... and only of the other one does the child hear" \
	"$(log_since no | grep -o ' m1 mail .*')" " m1 mail <b@x.test>"
front '' "no$(rule r 'recipient = a@x.test' accept)"
sent -r b@x.test -r a@x.test
is "accept at rcpt: the message" "$(mta_verdict)" accept@eom
front '' "no$(rule r 'header("X-Spam") = yes' accept)"
sent "$T/mail.eml"
is "accept at a header" "$(mta_verdict)" accept@eom
front '' "no$(rule held 'sender' 'quarantine held first' 'header X-Rule: 1')$(
	rule r 'header("X-Spam") = yes' accept)$(rule late 'size > 0' reject)"
sent "$T/mail.eml"
is "accept lets a quarantine stand, rules below are not looked at" \
	"$MTA_STATUS $(grep -o '"quarantine":"[^"]*' "$T/mta.out" | tail -1)" \
	'13 "quarantine":"held first'
like "... and headers" "$(cat "$T/mta.out")" '"X-Rule"'
front '' 'adds' "no$(rule r 'milter(adds) = continue' accept)"
sent "$T/mail.eml"
is "a child's no is not undone by a rule behind it" "$(mta_verdict)" \
	reject@eom

# ---- quarantine and header
front '' "adds$(rule one 'header("X-Spam") = yes' \
	'quarantine held: {header("Subject")}' 'header X-Rule: is {sender}')$(
	rule two 'milter(adds) = continue' 'quarantine and so' 'header X-Two: 2')"
sent "$T/mail.eml"
is "quarantines of rules and children are joined" "$MTA_STATUS" 13
for word in 'held: a test' 'child holds' 'and so'; do
	like "... with $word" "$(line)" "quarantine=\".*$word"
done
is "headers of rules come with those of children" "$(grep -oE \
	'"name":"X-[A-Z][a-z]*","value":"[^"]*"' "$T/mta.out" | sort -u |
	sed 's/"name":"\([^"]*\)","value":" *\([^"]*\)"/\1=\2/' | paste -sd,)" \
	'X-Child=1,X-Rule=is sender@example.org,X-Two=2'
front '' "no$(rule one 'header("X-Spam") = yes' 'quarantine held' 'header X-R: 1')"
sent "$T/mail.eml"
is "a child's no wins over them" "$(mta_verdict)" reject@eom
unlike "... and nothing of them is sent" \
	"$(grep -o '"edits":\[[^]]*\]' "$T/mta.out")" X-R
front '' "c$(rule r 'client_addr' 'header X-R: 1')"
sent -n 2
is "a header by a rule about the client: on every message" \
	"$(grep -c '"edits":\[{[^]]*"X-R"' "$T/mta.out")" 2

# ---- skip
front '' 'c' "no$(rule r 'sender = sender@example.org' 'skip no')"
sent
is "skip at mail" "$(mta_verdict)" accept@eom
like "... which the line tells" "$(line)" 'no=skip\(rule\)'
is "... it is let go" "$(heard no | grep -c eom)" 0
front '' 'c' "no$(rule r 'header("X-Spam") = yes' 'skip no c')"
sent "$T/mail.eml"
is "skip of two, joined already" "$(mta_verdict)" accept@eom
is "... they are told to forget it" "$(heard c)" \
	"connect helo mail rcpt data abort"
front '' 'c' "no$(rule r 'client_addr' 'skip no')"
played "skip at connect: for the connection" \
	'eom; expect continue; mail; eom; expect continue'
is "... it was not connected to" "$(log_since no)" ""

front '' "no$(rule r 'sender = a@x.test' 'skip no')"
played "skip at mail: for that message, again and again" \
	'mail "<a@x.test>"; eom; expect continue
	mail "<b@x.test>"; eom; expect reply "550*"
	mail "<a@x.test>"; eom; expect continue
	mail "<b@x.test>"; eom; expect reply "550*"'
front '' "no$(rule r 'recipient = a@x.test' 'skip no')"
played "skip at rcpt: for the message" \
	'rcpt "<b@x.test>"; rcpt "<a@x.test>"; rcpt "<c@x.test>"
	eom; expect continue
	mail; rcpt "<b@x.test>"; eom; expect reply "550*"'

# ---- macros: this stage, later ones, and on replay
macros() { # CHILD NAME: the stages with which it came, with its value
	log_since "$1" | sed -n 's/^s[0-9]* m\{0,1\}[0-9]* *macro \([a-z]*\) /\1 /p' |
		sed -nE "s/^([a-z]*) .*[{]$2[}]=([^ ]*).*/\1=\2/p" |
		paste -sd' '
}
set_macros=$(rule con 'client_addr' 'macro {m_con}=c')$(
	rule ma 'sender' 'macro {m_mail}={sender_domain}')$(
	rule da 'recipient_count > 0' 'macro {m_data}=d')$(
	rule en 'size < 1M' 'macro {m_end}=e')$(
	rule own 'sender' 'macro {mail_host}=mine' 'macro j?=missing')
for join in connect mail rcpt data eoh eom; do
	front '' "c;join=$join$set_macros"
	sent -m 'mail:{mail_host}=theirs'
	is "macro set at connect, child joins at $join" "$(macros c m_con)" \
		"connect=c helo=c mail=c rcpt=c data=c eoh=c eom=c"
	is "... set at mail" "$(macros c m_mail)" \
		"mail=example.org rcpt=example.org data=example.org eoh=example.org eom=example.org"
	is "... set at data" "$(macros c m_data)" "data=d eoh=d eom=d"
	is "... set at the end" "$(macros c m_end)" "eom=e"
	like "... in place of the MTA's own" "$(log_since c |
		grep 'macro mail')" ' \{mail_host\}=mine'
	unlike "... but with ?= only where it has none" "$(log_since c |
		grep 'macro connect')" ' j=missing'
done
front '' "c$(rule ma 'sender = a@x.test' 'macro {m}=1')"
played "a macro is about its message" 'mail "<a@x.test>"; rcpt; eom
	mail "<b@x.test>"; rcpt; eom'
is "... the next has none" "$(macros c m)" \
	"mail=1 rcpt=1 data=1 eoh=1 eom=1"
front '' "c;when=macro(\"{m}\", mail) = 1$(rule ma 'sender' 'macro {m}=1')"
sent
is "conditions look at what the MTA sent, not at it" "$(log_since c)" ""

# ---- score, log, order
front '' "c$(rule one 'sender' 'score 2' 'log one {sender}')$(
	rule two 'header("X-Spam")' 'score 3.5' 'log two {header("X-Spam")}')$(
	rule high 'score >= 5.5' 'log high {score}' 'header X-Score: {score}')$(
	rule too 'score >= 6' 'reject')"
sent "$T/mail.eml"
is "points add up" "$(grep -oE 'rule "[a-z]*": .*' "$SEKISHO_LOG" |
	paste -sd'|')" \
	'rule "one": one sender@example.org|rule "two": two yes|rule "high": high 5.5'
is "... not beyond" "$(mta_verdict)" accept@eom
sent
is "without the header: fewer" "$(grep -c 'rule "high"' "$SEKISHO_LOG")" 1
front '' "c$(rule bad 'milter(c) = continue' 'score 10')$(
	rule high 'score >= 10' 'reject 550 5.7.1 {score} points')"
sent
is "points for a child's word" "$(mta_verdict)" reject@eom
front '' "c$(rule a 'sender' 'tempfail 450 4.7.1 first')$(
	rule b 'client_addr and sender' 'reject 550 5.7.1 second')"
sent
like "within a stage the first rule of the file wins" "$(line)" \
	'rule=a reply="450 4.7.1 first"'
front '' "c$(rule b 'header("X-Spam")' 'reject 550 5.7.1 second')$(
	rule a 'sender' 'tempfail 450 4.7.1 first')"
sent "$T/mail.eml"
like "an earlier stage wins over the order" "$(line)" 'rule=a '
front '' "no$(rule a 'size > 0' 'tempfail')"
sent
like "a rule at the end goes before the children" "$(line)" \
	'verdict=tempfail by=sekisho'
front '' 'adds' "no$(rule a 'milter(no) = reject' 'log seen {milter(no)}' accept)"
sent
is "a rule behind a refusal changes nothing" "$(mta_verdict)" reject@eom
front '' 'adds' "c$(rule a 'milter_header(adds, "X-Child") = 1' 'reject')"
sent
is "a rule by a header that a child added" "$(mta_verdict)" reject@eom
front '' 'adds' "c$(rule a 'header_now("X-Child") = 1' 'tempfail')"
sent
is "... by the message as the children leave it" "$(mta_verdict)" tempfail@eom

front '' "c$(rule p 'client_addr' 'score 5')$(rule m 'sender' 'score 1')$(
	rule q 'score >= 7' 'reject 550 5.7.1 seven')$(
	rule b 'score >= 5 and sender = b@x.test' 'reject 550 5.7.1 {score}')"
played "points of the connection count for each message, a message's do not" \
	'mail "<a@x.test>"; eom; expect continue
	mail "<a@x.test>"; eom; expect continue
	mail "<b@x.test>"; expect reply "550 5.7.1 6"'

# ---- content is looked at as a reader would
printf 'Subject: =?utf-8?B?%s?=\nContent-Transfer-Encoding: base64\n\n%s\n' \
	"$(printf 'gr\303\274\303\237e' | base64)" \
	"$(echo 'oh hello you' | base64)" >"$T/coded.eml"
while read -r wanted when; do
	front '' "c$(rule r "$when" discard)"
	sent "$T/coded.eml"
	is "coded: $when" "$(mta_verdict)" "$wanted"
done <<'END'
discard@eom body ~ /oh hello/
discard@eom header("subject") ~ /^GR\x{fc}\x{df}E$/iu
accept@eom header("subject") ~ /utf-8/
accept@eom body ~ /oh  hello/
END

# ---- on_unknown: a rule that cannot be told does not fire, unless it says so
printf 'Subject: s\nX-Evil: %s!\n\nbody\n' "$(printf 'a%.0s' {1..60})" \
	>"$T/evil.eml"
evil='header("X-Evil") ~ /^(a+)+$/'
front '' "c$(rule r "$evil" reject)$(rule n "not $evil" reject)"
sent "$T/evil.eml"
is "a limit was hit: it does not fire, nor does its opposite" \
	"$(mta_verdict)" accept@eom
like "... and the log says so" "$(cat "$SEKISHO_LOG")" \
	'warning: .*rule "r": its condition could not be told'
front '' "c$(rule r "$evil" reject);on_unknown=tempfail 451 4.7.1 cannot tell"
sent "$T/evil.eml"
like "on_unknown names what then happens" "$(line)" \
	'verdict=tempfail by=sekisho .*rule=r reply="451 4.7.1 cannot tell"'
done_testing
