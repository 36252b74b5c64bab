#!/bin/bash
# Postfix and Sendmail in front, old ones too; children that are old or want
# less; spaces, refused recipients and macros on both sides.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

ALL="connect helo mail rcpt data header eoh body eom"
FINE='mail; rcpt; body "t\r\n"; eom; expect continue'
start_child plain ''
start_child adder 'at eom do addheader "X-Added" "value"'

# ---- negotiation: the same for all, never more than was offered
# The MTA adds to a low version what it does not know: DATA, unknown commands.
offer() { # what was agreed on, of the last message sent
	grep -o '"what":"version=[^"]*' "$T/mta.out" | head -1 | sed 's/.*version/version/'
}
front '' plain adder
while IFS='|' read -r version actions protocol want; do
	sent --offer-version "$version" --offer-actions "$actions" \
		--offer-protocol "$protocol"
	is "offer $version $actions $protocol" "$(offer)" "$want"
	is "... and the message is edited" "$MTA_STATUS $(
		grep -o '"name":"X-Added","value":" \{0,1\}value"' "$T/mta.out" |
		sed 's/.*value":" *//')" '0 value"'
done <<'E2'
6|0x1ff|0x1fffff|version=6 actions=0x1ff protocol=0x1c0c80
6|0x0ff|0x1fffff|version=6 actions=0xff protocol=0x1c0c80
4|0x1ff|0x37f|version=4 actions=0x1ff protocol=0x0
3|0x1ff|0x17f|version=3 actions=0x1ff protocol=0x200
2|0x3f|0x7f|version=2 actions=0x3f protocol=0x300
2|0x3f|0xff|version=2 actions=0x3f protocol=0x380
6|0x1ff|0x0fffff|version=6 actions=0x1ff protocol=0xc0c80
6|0x1ff|0x1fff7f|version=6 actions=0x1ff protocol=0x1c0c00
E2
sent --offer-version 2 --offer-actions 0x3f --offer-protocol 0x7f
is "version 2: content commands are answered at once" \
	"$(grep -oE '"stage":"(header|eoh|body)"[^}]*"answer":"[a-z]*' "$T/mta.out" |
		sed 's/.*"answer":"//' | sort -u)" "continue"

# A verdict reached in the content comes at the end of the message.
start_child no_header 'at header "Subject" do reject'
front '' no_header plain
for protocol in 0x1fffff 0x7f; do
	sent --offer-protocol $protocol
	is "a no in the headers comes at the end (offer $protocol)" \
		"$(mta_verdict)" "reject@eom"
	like "... the line tells where it was said" "$(line)" \
		'no_header=reject@header.* stage=header'
done
# An action that was not offered is not expressed.
front '' adder
sent --offer-actions 0x00e
is "an edit the MTA never offered cannot be made in silence" \
	"$(grep -o '"edit":' "$T/mta.out" | wc -l)" 0

# ---- children that want less, or are old
start_child old 'option version 2; at eom do addheader "X-Old" "1"'
front '' old plain
played "a child of version 2" "unknown \"FOO\"; expect continue; $FINE"
is "... hears neither DATA nor unknown commands" "$(heard old)" \
	"connect helo mail rcpt header eoh body eom"
start_child v3 'option version 3'
front '' v3 plain
played "a child of version 3" "unknown \"FOO\"; expect continue; $FINE"
is "... hears no DATA" "$(heard v3)" \
	"connect helo unknown mail rcpt header eoh body eom"
start_child deaf 'option protocol noconnect nohelo nomail norcpt nodata nohdrs noeoh nobody
	at eom do addheader "X-Deaf" "1"'
front '' deaf plain
played "a child that wants nothing but the end" "$FINE; $FINE"
is "... hears just that" "$(heard deaf)" "eom eom"
start_child mute 'option protocol nr_conn nr_helo nr_mail nr_rcpt nr_data nr_hdr nr_eoh nr_body nr_unkn
	at eom do addheader "X-Mute" "1"'
front '' mute plain
sent
is "a child that answers the end alone" "$MTA_STATUS $(heard mute)" "0 $ALL"
# Its word must not pass for the answer to the next command: that shifts all
# that follow, and its no at the end would not be heard.  The MTA waits a
# little; on a busy machine the child may need more than one try.
seen_in_time() { # SCRIPT: whose expectations hold
	local i
	for i in 1 2 3 4 5; do
		mta -s "unix:$T/front.sock" -c "$1"
		[ "$MTA_STATUS" != 0 ] || return 0
	done
	return 1
}
start_child liar 'option protocol nr_mail; at mail do answer-anyway; continue'
front '' 'liar;breaker_failures=0'
ok "a child that answers what it promised not to has failed" \
	seen_in_time 'mail; expect continue; wait 3ms; rcpt; expect tempfail'
start_child too_new 'option version 7; option force'
front '' too_new
sent
is "a child of a version nobody offered has failed" "$MTA_STATUS" 11
start_child greedy 'option protocol leadspc rcpt_rej; option force'
front '' greedy
sent --offer-protocol 0x0ff7ff
like "a child that takes bits nobody offered" "$(line)" \
	' greedy=(failed\(protocol\)|continue)'

# ---- the dialect: who is in front decides the index rules
start_child deleter 'at eom do chgheader 1 "X-D" ""'
start_child second 'at eom do chgheader 1 "X-D" "changed"'
printf 'Subject: s\nX-D: 1\nX-D: 2\nX-D: 3\n\nbody\n' >"$T/d.eml"
index() { # of the second child's change as the MTA gets it
	grep -oE '"edit":"chgheader","index":[0-9]+,"name":"X-D","value":" ?changed"' \
		"$T/mta.out" | sed -E 's/.*"index":([0-9]+).*/\1/'
}
front '' deleter second
sent --habits postfix "$T/d.eml"
is "Postfix: what was deleted does not count" "$(index)" 1
sent --habits sendmail "$T/d.eml"
is "Sendmail: what was deleted still counts" "$(index)" 2
FRONT_OPTIONS='mta=sendmail' front '' deleter second
sent --habits postfix "$T/d.eml"
is "listen mta=sendmail overrides what it says it is" "$(index)" 2
FRONT_OPTIONS='mta=postfix' front '' deleter second
sent --habits sendmail "$T/d.eml"
is "... and mta=postfix" "$(index)" 1

# ---- spaces at the front of a header value
printf 'X-None:none\nX-One: one\nX-Two:  two\nX-Tab:\ttab\nX-Empty:\n\nbody\n' \
	>"$T/s.eml"
start_child spaced 'option protocol leadspc
	at eom do addheader "X-New" " spaced"; addheader "X-Tight" "tight"
	chgheader 1 "X-One" "  changed"; chgheader 1 "X-Two" ""'
start_child unspaced 'at eom do addheader "X-Plain" "plain"; chgheader 1 "X-Tab" "changed"'
start_child spaced_too 'option protocol leadspc'
values() { # CHILD: the values it saw, one a line
	log_since "$1" | sed -nE 's/^s[0-9]+ m[0-9]+ header (X-[A-Za-z]+) (".*")$/\1=\2/p' |
		paste -sd' '
}
edits() {
	grep -oE '"name":"X-[A-Za-z]+","value":"[^"]*"' "$T/mta.out" |
		sed -E 's/"name":"(X-[A-Za-z]+)","value":("[^"]*")/\1=\2/' | paste -sd' '
}
front '' spaced unspaced spaced_too
sent "$T/s.eml"
is "LEADSPC on both sides: as it came" "$(values spaced)" \
	'X-None="none" X-One=" one" X-Two="  two" X-Tab="\ttab" X-Empty=""'
is "no LEADSPC at the child: one space is gone" "$(values unspaced)" \
	'X-None="none" X-One=" changed" X-Tab="\ttab" X-Empty="" X-New="spaced" X-Tight="tight"'
is "... the next one with LEADSPC has it again" "$(values spaced_too)" \
	'X-None="none" X-One="  changed" X-Tab=" changed" X-Empty="" X-New=" spaced" X-Tight="tight" X-Plain=" plain"'
is "the MTA gets each as meant" "$(edits)" \
	'X-New=" spaced" X-Tight="tight" X-One="  changed" X-Two="" X-Plain=" plain" X-Tab=" changed"'
sent --offer-protocol 0x0fffff "$T/s.eml"
is "no LEADSPC at the MTA: no child has it either" "$(values spaced)" \
	'X-None="none" X-One="one" X-Two=" two" X-Tab="\ttab" X-Empty=""'
is "... and edits go as they are" "$(edits)" \
	'X-New=" spaced" X-Tight="tight" X-One="  changed" X-Two="" X-Plain="plain" X-Tab="changed"'

# ---- recipients the MTA has refused itself
start_child asks 'option protocol rcpt_rej; at rcpt when rcpt ~ "bad@" do reject'
front '' asks plain
sent -r good@x.test --refused-rcpt bad@x.test
is "RCPT_REJ: the message passes" "$MTA_STATUS" 0
is "... the child that asked hears of it" "$(heard_rcpts asks)" \
	"good@x.test bad@x.test"
is "... the other does not" "$(heard_rcpts plain)" "good@x.test"
like "... nor is it counted" "$(line)" ' nrcpt=1 '
unlike "... whatever that child says to it" "$(line)" 'refused='
front '' 'asks;join=data'
sent -r good@x.test --refused-rcpt bad@x.test
is "it is not replayed" "$(heard_rcpts asks)" "good@x.test"

# ---- macros: lists asked of the MTA, cut for each child
start_child lister 'option macros connect "j {client_ptr}"; option macros mail "i {auth_authen}"
	option macros eom "{own}"'
macros() { # CHILD STAGE: the names it got
	log_since "$1" | sed -nE "s/^s[0-9]+( m[0-9]+)? macro $2//p" |
		grep -oE '[^ =]+=' | tr -d = | sort | paste -sd' '
}
give=(-m connect:j=mx -m 'connect:{client_ptr}=ptr' -m 'connect:v=Postfix 3'
	-m 'mail:{auth_authen}=anna' -m 'mail:{mail_addr}=a' -m 'eom:{own}=1'
	-m eom:i=ID -m 'helo:{tls_version}=T')
# What the MTA is asked for, as it sees it: by a raw negotiation.
asked() {
	python3 "$SRCDIR/t/lib/raw_mta.py" "unix:$T/front.sock" lists
}
front '' lister plain
is "nothing is known of the children: no lists are sent" "$(asked)" ""
sent "${give[@]}"
is "a list of its own: just those, at connect" "$(macros lister connect)" \
	"j {client_ptr}"
is "... at MAIL" "$(macros lister mail)" "{auth_authen}"
is "... at the end" "$(macros lister eom)" "{own}"
is "no list for the stage: what there is" "$(macros lister helo)" "{tls_version}"
like "a child without lists gets what the MTA sends" \
	"$(macros plain connect)" '^(.* )?j( .*)? v( .*)?\{client_ptr\}|j v'
is "the MTA is asked for the union at the next negotiation" \
	"$(asked | sed -n 's/^connect: //p' | tr ' ' '\n' |
		grep -cxE 'j|\{client_ptr\}|v|_|\{daemon_name\}')" 5
is "... at MAIL" "$(asked | sed -n 's/^mail: //p' | tr ' ' '\n' |
	grep -cxE 'i|\{auth_authen\}|\{mail_addr\}')" 3
is "... not at all where no child gave a list" "$(asked | grep -c '^rcpt:')" 0
is "... end of headers and end of message always together" \
	"$(asked | grep -cE '^(eoh|eom):')" 2
front 'macros_extra=mail: {extra}, rcpt: {extra}' lister plain
sent
like "macros_extra is asked for as well" "$(asked)" \
	'(^|.)mail: (.* )?\{extra\}( |$)'
is "... only where a child gave a list, too" "$(asked | grep -c '^rcpt:')" 0
front '' plain
sent
is "no child gives lists: none are sent" "$(asked)" ""
done_testing
