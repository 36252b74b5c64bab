#!/bin/bash
# sekisho-mta lets no breach of the protocol pass: what both MTAs would drop a
# milter for, and what would put either of them out of step, is a failure.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
need_programs "$SEKISHO_MTA" "$SEKISHO_MILTER"

breach() { # DESCRIPTION SCRIPT WORDS [OPTION...]
	local what=$1 script=$2 words=$3
	shift 3
	start_child child "$script"
	mta -s "unix:$T/child.sock" -t 1s "$@"
	is "$what: a failure" "$MTA_STATUS" 20
	like "$what: in words" "$(cat "$T/mta.out")" "failure .*$words"
	stop_child child
}

for stage in connect helo mail rcpt data header eoh body; do
	breach "an edit at $stage" "at $stage do addheader a b" \
		"at $stage: addheader before the end of message"
	breach "quarantine at $stage" "at $stage do quarantine x" \
		"at $stage: quarantine before the end"
done
for stage in connect helo mail rcpt data header eoh eom; do
	breach "skip at $stage" "at $stage do skip" "at $stage: skip is no legal"
done
for stage in connect helo mail rcpt data header eoh body eom; do
	breach "shutdown at $stage" "at $stage do shutdown" "shutdown is no legal"
	breach "conn_fail at $stage" "at $stage do conn_fail" \
		"conn_fail is no legal"
	breach "garbage at $stage" "at $stage do garbage 00000001ff" \
		"at $stage: malformed answer"
	breach "length 0 at $stage" "at $stage do garbage 00000000" \
		"at $stage: answer of a bad length"
	breach "a huge length at $stage" "at $stage do garbage \"GET / HTTP\"" \
		"at $stage: answer of a bad length"
	breach "early close at $stage" "at $stage do close" \
		"at $stage: .*closed the connection"
	breach "a continue with payload at $stage" \
		"at $stage do garbage 000000026300" "at $stage: malformed answer"
	breach "a bad reply at $stage" "at $stage do reply \"250 fine\"" \
		"at $stage: malformed reply"
	breach "mixed codes at $stage" \
		"at $stage do reply \"550-a\\r\\n450 b\"" "malformed reply"
done
for stage in connect helo; do
	breach "discard at $stage" "at $stage do discard" \
		"at $stage: discard is no legal"
done
breach "accept of an unknown command" 'at unknown do accept' \
	'at unknown: accept is no legal' --unknown 'NOSUCH thing'
breach "skip that was not agreed upon" \
	'option protocol none; at body do skip' 'skip, which was not negotiated'
breach "silence" 'at rcpt do silence' 'at rcpt: no answer: timeout' -t 200ms
breach "an answer later than the limit" 'at rcpt do delay 2s; accept' \
	'at rcpt: no answer: timeout' -t 200ms

# ---- out of step
breach "two final answers" 'at eom do continue; continue' \
	'no answer was owed'
breach "two answers to mail" 'at mail do continue; continue' \
	'no answer was owed|once too often'
breach "two final answers, Sendmail" 'at eom do continue; continue' \
	'once too often|no answer was owed' --habits sendmail
breach "an answer to abort" 'at abort do continue' \
	'once too often|no answer was owed'
breach "an answer that was promised away" \
	'option protocol nr_hdr; at header 1 do answer-anyway; continue' \
	'no answer was owed'
breach "an edit behind the final answer" \
	'at eom do continue; addheader a b' 'no answer was owed'

# ---- negotiation
breach "actions that were not offered" 'option actions all; option force' \
	'actions not offered: 0x80' --offer-actions 0x17f
breach "a version above the one offered" 'option version 6; option force' \
	'version above' --offer-version 4
breach "bits not offered, Sendmail" 'option protocol skip; option force' \
	'protocol bits not offered: 0x400' --offer-protocol 0x7f \
	--habits sendmail
breach "something else for an offer" 'at optneg do accept' \
	'at optneg: answered with accept'
breach "close for an offer" 'at optneg do close' 'closed the connection'
breach "an edit without its action" \
	'option actions addhdrs; at eom do chgheader 1 a b' \
	'chgheader, which was not negotiated'
breach "a header without name" 'at eom do addheader "" b' 'without a name'
breach "a body in two runs" \
	'at eom do replbody a; addheader a b; replbody c' 'replbody mixed'
breach "progress before the end, Sendmail" 'at mail do progress; continue' \
	'progress before the end' --habits sendmail

# ---- and what is no breach
fine() { # DESCRIPTION SCRIPT [OPTION...]
	local what=$1
	start_child child "$2"
	shift 2
	ok "$what" mta -s "unix:$T/child.sock" -t 5s "$@"
	stop_child child
}
fine "progress before the end, Postfix" 'at mail do progress; continue'
fine "progress at the end" 'at eom do progress; delay 10ms; progress'
fine "bits not offered, Postfix" 'option protocol skip; option force' \
	--offer-protocol 0x7f
fine "version 2" 'option version 2'
fine "an old MTA" '' --offer-version 2
fine "a slow child" 'at rcpt do delay 300ms'
fine "edits in every order" 'at eom do replbody a; replbody b; addheader a b'

mta -s "unix:$T/nobody.sock"
is "nobody listens: a failure" "$MTA_STATUS" 20
mta -s unix:relative
is "not an address: a mistake of the user" "$MTA_STATUS" 2
mta
is "no address either" "$MTA_STATUS" 2
mta -s "unix:$T/nobody.sock" "$T/no.eml"
is "a file that is not there" "$MTA_STATUS" 2
not_ok "a script with a mistake is not played" "$SEKISHO_MILTER" \
	-s "unix:$T/x.sock" -c 'at dinner do eat'
ok "nor is its socket made" test ! -e "$T/x.sock"
done_testing
