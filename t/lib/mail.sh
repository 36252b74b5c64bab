# shellcheck shell=bash
# mail.sh - a real Postfix in front, real milters behind
#
# Sourced after house.sh.  peers.sh holds what runs; this file sends messages,
# finds out what became of them, and compares two ways a message may go: the
# milters directly in smtpd_milters, and sekisho in front of the same ones.

PEERS_DIR=$T/peers
export PEERS_DIR
peers() { timeout -k 10 300 "$SRCDIR/t/peers/peers.sh" "$@"; }
peer() { sed -n "s/^$2=//p" "$PEERS_DIR/$1/info" | head -1; } # INSTANCE KEY
peers_end() { [ ! -d "$PEERS_DIR" ] || peers stop-all >/dev/null 2>&1; }
AT_EXIT+=(peers_end)

need_peers() { # NAME...: skips the script where they cannot run
	local name package
	[ "${PEERS:-yes}" = yes ] || skip_all "PEERS=no: real milters left out"
	[ "$(id -u)" = 0 ] || skip_all "real milters need root"
	command -v dpkg-query >/dev/null || skip_all "real milters need Debian"
	for name in "$@"; do
		for package in $("$SRCDIR/t/peers/peers.sh" packages "$name"); do
			dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
				grep -q 'ok installed' ||
				skip_all "not installed: $package"
		done
	done
}

start_peer() { # NAME [OPTION...]
	peers start "$@" >"$T/peer.out" 2>&1 || {
		diag "$(tail -n 20 "$T/peer.out")"
		bail "peer $1 did not start"
	}
}

# A settings file for the children given, in this order, on a port of its own:
# prints nothing, sets the variable to the port.  Further settings of a child
# stand behind its address: NAME=SPEC;order=free;mode=on
sekisho_before() { # LABEL PORT-VARIABLE NAME=SPEC[;KEY=VALUE...]...
	local label=$1 var=$2 pair
	shift 2
	free_port "$var"
	mkdir -p "$T/spool" && chmod 0700 "$T/spool"
	{
		echo "[server]"
		echo "listen = inet:${!var}@127.0.0.1"
		echo "workers_min = 2"
		echo "spare_min = 1"
		echo "spool_directory = $T/spool"
		for pair in "$@"; do
			echo "[milter ${pair%%=*}]"
			tr ';' '\n' <<<"socket=${pair#*=}"
		done
	} >"$T/$label.conf"
	SEKISHOD_LABEL=sekishod-$label start_sekishod "$T/$label.conf"
}

# Long queue ids are never used twice, so a message can be found by its own.
start_postfix() { # OPTION...
	start_peer postfix --set enable_long_queue_ids=yes \
		--set message_size_limit=30000000 "$@"
}

postfix_port() { peer postfix "port_$1"; } # LABEL of an --also

# Sends the files in one session; the replies are in $T/replies, the queue
# ids in QUEUE_IDS, and REPLY_LINE is the first refusal, else the last END.
send() { # PORT [OPTION...] FILE...
	timeout -k 5 300 "$SRCDIR/t/lib/smtp_send.py" "$@" \
		>"$T/replies" 2>"$T/replies.err" ||
		diag "$(cat "$T/replies.err")"
	QUEUE_IDS=$(sed -n 's/^END 250 .*queued as \([0-9A-Za-z]*\).*/\1/p' \
		"$T/replies")
	REPLY_LINE=$(sed -nE 's/^[A-Z]+ ([45])/\1/p' "$T/replies" | head -1)
	[ -n "$REPLY_LINE" ] ||
		REPLY_LINE=$(sed -n 's/^END //p' "$T/replies" | tail -1)
	local id
	for id in $QUEUE_IDS; do
		wait_for 30 settled_mail "$id" || diag "$id: not settled in time"
	done
}

# Delivered and removed, dropped by a milter, or held.
settled_mail() { # QUEUE-ID
	in_file "postfix/(qmgr|cleanup).*: $1: (removed|milter-(discard|hold))" \
		"$(peer postfix log)"
}

# The delivered copies of one message, as files, by recipient.
delivered() { # QUEUE-ID
	grep -rlE "id $1( |;|\$)" "$(peer postfix mail)" 2>/dev/null |
		while read -r copy; do
			echo "$(grep -m1 '^Delivered-To:' "$copy") $copy"
		done | sort | sed 's/.* //'
}

# One header a line, unfolded, with what differs between two deliveries of
# the same message made equal.
headers_of() { # FILE QUEUE-ID
	sed -e '/^$/,$d' -e "s/$2/QUEUE-ID/g" "$1" |
		awk '/^[ \t]/ { sub(/^[ \t]+/, " "); l = l $0; next }
			{ if (NR > 1) print l; l = $0 } END { print l }' |
		plain_headers
}

# Dates and the time in a signature are the clock's; what follows b= in a
# fresh signature depends on it.  The lists inside rspamd's headers come in an
# order that changes from run to run, and ":c" says it knew the record already.
plain_headers() {
	sed -E -e '/^Received: from/s/; [A-Z][a-z]{2}, .*/; DATE/' \
		-e '/^DKIM-Signature:/s/ t=[0-9]+;/ t=TIME;/' \
		-e '/^DKIM-Signature:.* t=TIME/s/ b=[^;]*$/ b=SIGNATURE/' \
		-e '/^Authentication-Results:/s/ header\.b=[^ ;]+/ header.b=B/' \
		-e '/^X-Spamd-Result:/s/:c\]/]/g' |
		while IFS= read -r line; do
			case $line in
			X-Spamd-Result:* | Authentication-Results:*)
				tr ';' '\n' <<<"$line" |
					sed 's/^ *//; s/ *$//' | tr '\n\t' ';;' |
					tr ';' '\n' | sed '/^$/d' | sort |
					paste -sd';' | tr -s ' ' ;;
			*) printf '%s\n' "$line" ;;
			esac
		done
}

body_of() { # FILE
	sed '1,/^$/d' "$1"
}

# Everything an outsider sees of the message just sent, as one text: each
# reply, and for every copy its recipient, headers (as a set) and body.
outcome() { # FILE-OUT
	local id copy
	{
		sed -E -e 's/queued as [0-9A-Za-z]+/queued as QUEUE-ID/' \
			-e 's/127\.0\.0\.1:[0-9]+/ADDRESS/g' "$T/replies"
		for id in $QUEUE_IDS; do
			if [ -e "$(peer postfix dir)/queue/hold/$id" ]; then
				echo "held"
			fi
			for copy in $(delivered "$id"); do
				grep -m1 '^Delivered-To:' "$copy"
				headers_of "$copy" "$id" | sort
				body_of "$copy" | cksum
			done | cat
		done
	} >"$1"
}

# Sends one message both ways and compares what became of it.
same_both_ways() { # DESCRIPTION LABEL SEND-ARGUMENT...
	local what=$1 label=$2
	shift 2
	send "$(postfix_port "direct_$label")" "$@"
	outcome "$T/direct.txt"
	local first=$REPLY_LINE
	send "$(postfix_port "via_$label")" "$@"
	outcome "$T/via.txt"
	if diff "$T/direct.txt" "$T/via.txt" >"$T/diff.txt" &&
		[ -n "$first" ]; then
		result 0 "$what: ${first:0:40}"
	else
		result 1 "$what" || diag "direct < > through sekisho" \
			"$(head -30 "$T/diff.txt")"
	fi
}

# --------------------------------------------------------------------- mail
GTUBE='XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'
VIRUS=BENCH-VIRUS-MARKER-7f3a
# SPF passes, SPF fails, the host opendkim signs for (see t/peers/zone.test).
GOOD=192.0.2.7 BAD=198.51.100.7 INSIDE=192.0.2.10

MAIL_DATE=$(date -R)
eml() { # NAME SUBJECT [HEADER-LINES]; the body is standard input
	{
		printf 'Date: %s\n' "$MAIL_DATE"
		printf 'From: Anna <a@sender.test>\nTo: u@rcpt.test\n'
		printf 'Subject: %s\nMessage-Id: <%s@sender.test>\n' "$2" "$1"
		[ -z "${3:-}" ] || printf '%b\n' "$3"
		printf '\n'
		cat
	} >"$T/mail/$1.eml"
}

# The same set for every milter; what is nothing to one is all to another.
make_mail() {
	mkdir -p "$T/mail"
	echo 'This is a test of the post.' | eml ham 'an ordinary message'
	echo "$GTUBE" | eml spam 'buy now'
	echo "hello $VIRUS there" | eml virus 'open me'
	printf '' | eml empty 'no body at all'
	printf 'Gr\303\274\303\237e\n.leading dot\n..two\n' |
		eml eightbit 'dots and eight bits' 'X-Dup: one\nX-Dup: two'
	echo 'Folded above.' | eml folded 'one that is\n  folded twice\n\tby tab' \
		'X-Long: aaaa\n bbbb\n   cccc\n\tdddd\nX-Tight:nospace\nX-Empty:\nX-Two:  two'
	awk 'BEGIN { for (i = 0; i < 22000; i++)
		printf "line %05d of a body that is larger than one chunk ....\n", i
		}' | eml big 'more than a mebibyte'
	echo 'Marked.' | eml rspamd-header bench-rspamd-header
	echo 'Marked.' | eml rspamd-subject bench-rspamd-subject
	echo 'Marked.' | eml rspamd-reject bench-rspamd-reject
	echo 'Marked.' | eml spam-subject bench-spam-subject
}

# A signed message and one whose signature no longer holds: made by passing
# ham through a Postfix port whose only milter is opendkim.
make_signed() { # PORT
	local copy
	send "$1" --client "$INSIDE" "$T/mail/ham.eml"
	copy=$(delivered "$QUEUE_IDS" | head -1)
	[ -n "$copy" ] || bail "no message was signed"
	sed '1,/^Delivered-To/d' "$copy" >"$T/mail/signed.eml"
	sed 's/a test of the post/A test of the post/' "$T/mail/signed.eml" \
		>"$T/mail/broken.eml"
	grep -q '^DKIM-Signature:' "$T/mail/signed.eml" || bail "not signed"
}

# The whole set both ways.
whole_set() { # LABEL
	local l=$1 m
	for m in ham spam virus empty eightbit folded big rspamd-header \
		rspamd-subject rspamd-reject spam-subject signed broken; do
		[ -e "$T/mail/$m.eml" ] || continue
		same_both_ways "$l: $m" "$l" --client "$GOOD" "$T/mail/$m.eml"
	done
	same_both_ways "$l: bad SPF" "$l" --client "$BAD" "$T/mail/ham.eml"
	same_both_ways "$l: no SPF record" "$l" --client "$BAD" \
		--from x@nospf.test "$T/mail/ham.eml"
	same_both_ways "$l: from inside" "$l" --client "$INSIDE" \
		"$T/mail/ham.eml"
	same_both_ways "$l: several recipients" "$l" --client "$GOOD" \
		--to a@rcpt.test --to b@elsewhere.test --to c@rcpt.test \
		"$T/mail/ham.eml"
	same_both_ways "$l: three messages in a session" "$l" \
		--client "$GOOD" --unknown "$T/mail/ham.eml" \
		"$T/mail/virus.eml" "$T/mail/folded.eml"
	same_both_ways "$l: the empty sender" "$l" --client "$GOOD" \
		--from '' "$T/mail/ham.eml"
	same_both_ways "$l: authenticated" "$l" --client "$BAD" \
		--login anna "$T/mail/ham.eml"
}

# One real milter alone: directly, and behind sekisho.
compare_alone() { # NAME [OPTION of peers.sh...]
	local name=$1 port
	shift
	need_peers dns postfix opendkim "$name"
	need_programs "$SEKISHOD"
	make_mail
	start_peer dns
	start_peer opendkim
	[ "$name" = opendkim ] || start_peer "$name" "$@"
	sekisho_before "$name" port "$name=$(peer "$name" spec)"
	start_postfix --also sign="$(peer opendkim milter)" \
		--also direct_"$name"="$(peer "$name" milter)" \
		--also via_"$name"="inet:127.0.0.1:$port"
	make_signed "$(postfix_port sign)"
	whole_set "$name"
	done_testing
}
