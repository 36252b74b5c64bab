#!/bin/bash
# A child whose condition becomes true late hears by replay what it missed: it
# sees the same message, and the outcome is the one it would have had from the
# beginning.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs
CTL=${SEKISHOCTL:-$BUILDDIR/sekishoctl}

{
	printf 'From: Anna <s@x.test>\nTo: u@x.test\nSubject: one that is\n'
	printf '  folded\n\ttwice\nX-Dup: one\nX-Dup: two\nX-Empty:\n\n'
	printf 'a line of the body, among many others %s\n' {1..200}
} >"$T/mail.eml"
play() {
	sent -m 'mail:{auth_authen}=anna' --sender '<s@x.test> SIZE=9000' \
		--helo mx.x.test -r u@x.test --chunk 2000 "$T/mail.eml"
}
outcome() { # verdict, edits, recipients as the MTA sees them
	grep -oE '"(verdict|quarantine|sender|body_size|body_hash)":"?[^",]*|"edits":\[[^]]*\]' \
		"$T/mta.out" | paste -sd' '
}
# The message as the child saw it, and everything that stood around it.
seen() { # NAME
	wait_for 10 all_closed "$1"
	cat "$T/$1.saved"/*.eml "$T/$1.saved"/*.env 2>/dev/null |
		sed 's/i=[0-9A-Za-z]*/i=ID/'
}

# From when on, by which condition.  The child above adds X-Above.
cat >"$T/stages" <<'END'
connect client_name = client.example.org
mail helo = mx.x.test
mail sender = s@x.test
mail authenticated
mail declared_size < 10K
rcpt recipient in ours
data recipient_count = 1
data not recipient = someone@else.test
header header("X-Dup") = two
header header("subject") ~ /is folded twice/
eoh not header("X-None")
body size > 3000
body body ~ /others 150/
eom size < 100K
eom header_now("X-Above") = 1
eom milter(above) = continue
eom milter_header(above, "X-Above")
eom not milter(above) = reject and sender_domain = x.test
END
start_child above 'at eom do addheader "X-Above" "1"'
ours='[table ours];source=inline:.x.test'

# The tool and the daemon agree on when it is known.
front '' "above" "late;when=true;$ours"
while read -r stage when; do
	sed "s/^when=true/when=$(sed 's/[\/&]/\\&/g' <<<"$when")/" \
		"$T/front.conf" >"$T/explain.conf"
	"$CTL" explain -c "$T/explain.conf" --client 192.0.2.1 \
		--name client.example.org --helo mx.x.test --from s@x.test \
		--arg SIZE=9000 --auth anna --rcpt u@x.test --of late \
		--milter above=continue "$T/mail.eml" >"$T/explain" 2>&1
	case $when in *X-Above*) continue ;; esac
	like "explain: $when" "$(head -40 "$T/explain")" \
		"^milter late: applies, from $stage on\$"
done <"$T/stages"

while IFS='|' read -r name script; do
	mkdir "$T/$name.saved"
	start_child "$name" "$script" --save "$T/$name.saved"
	front '' above "$name;when=true;$ours"
	play
	wanted=$(outcome)
	ears=$(heard "$name")
	saw=$(seen "$name")
	while read -r stage when; do
		rm -f "$T/$name.saved"/*
		front '' above "$name;when=$when;$ours"
		play
		is "$name, $when" "$(outcome)" "$wanted"
		[ "$name" = good ] || continue
		is "... heard the same" "$(heard "$name")" "$ears"
		is "... and saw the same" "$(seen "$name")" "$saw"
		like "... all of it" "$saw" 'others 200'
	done <"$T/stages"
done <<'END'
good|at eom do addheader "X-Late" "1"; chgheader 1 "Subject" "changed"; chgheader 2 "X-Dup" ""; replbody "new\r\n"; addrcpt "<more@x.test>"
no_helo|at helo do tempfail
no_sender|at mail do reject
accepts|at mail do accept
no_header|at header "X-Dup" do reject
no_message|at eom do reply "550 5.7.1 no"
discards|at eom do discard
holds|at eom do quarantine "held"
END

# ---- never true: never connected to
while read -r when; do
	front '' above "good;when=$when;$ours"
	play
	is "never: $when" "$(log_since good)" ""
	like "... which the line tells" "$(line)" \
		'good=skip\(condition\) verdict=accept'
done <<'END'
client_addr in 10.0.0.0/8
not helo = mx.x.test
recipient = other@x.test
recipient_count > 1
header("X-Dup") = three
size > 100K
body ~ /nothing of this/
header_now("X-Above") = 2
milter(above) = reject
END

# ---- known anew for each message of a connection
front '' above 'good;when=sender_domain = x.test'
played "three messages, the second not concerned" \
	'mail "<a@x.test>"; rcpt; eom; expect continue
	mail "<a@other.test>"; rcpt; eom; expect continue
	mail "<b@x.test>"; rcpt; eom; expect continue'
is "... heard two, on one connection" "$(heard good)" \
	"connect helo mail rcpt data header eoh eom mail rcpt data header eoh eom"
like "... the second line tells" "$(line 2)" 'good=skip\(condition\)'
like "... the third, too" "$(line 3)" 'good=continue'
front '' above 'good;when=helo = one.test'
played "another HELO, another answer" 'helo "one.test"; mail; eom
	helo "two.test"; mail; eom; helo "one.test"; mail; eom; expect continue'
is "... the child hears the first and the third" \
	"$(log_since good | grep -o ' helo .*' | paste -sd' ')" \
	" helo one.test  helo one.test"
like "... the second line tells" "$(line 2)" 'good=skip\(condition\)'

# ---- in other modes, and when it is not there
front '' above 'no_message;mode=evaluate;when=size < 100K' \
	'good;when=size < 100K'
play
like "evaluate: shown to it late, without effect" "$(line)" \
	'\(no_message=reject@eom.*\) good=continue.* verdict=accept'
while read -r wanted policy when; do
	front '' above "gone;socket=unix:$T/none.sock;on_failure=$policy;when=$when"
	play
	is "not there, $policy, $when" "$MTA_STATUS" "$wanted"
done <<'END'
11 tempfail size < 100K
0 tempfail size > 100K
13 quarantine header("Subject")
0 accept header_now("X-Above")
10 reject sender
END
done_testing
