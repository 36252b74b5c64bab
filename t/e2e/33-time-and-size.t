#!/bin/bash
# Children by the time of day and by the size of the message.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

# ---- day and night: the strict list holds at night
start_child strict 'at rcpt do reply "550 5.7.1 not at this time"'
office='[condition office_hours];is=weekday in mon-fri and time in 08:00-20:00'
# How far the clock has to be ahead for the next such moment.
ahead() { # TIME, as in "mon 12:00"
	local now moment
	now=$(date +%s)
	moment=$(date -d "$1" +%s)
	[ "$moment" -gt "$now" ] || moment=$((moment + 604800))
	echo "$((moment - now))s"
}
while read -r wanted at; do
	front "test_clock=$(ahead "$at")" "strict;when=not office_hours;$office"
	sent
	is "$at" "$(mta_verdict)" "$wanted"
	if [ "$wanted" = accept@eom ]; then
		is "... the child was not connected to" "$(log_since strict)" ""
		like "... which the line tells" "$(line)" \
			'strict=skip\(condition\)'
	else
		is "... refused by the child" "$(heard strict)" \
			"connect helo mail rcpt abort"
	fi
done <<'END'
accept@eom mon 08:01
accept@eom fri 19:30
accept@eom wed 12:00
reject@rcpt fri 20:01
reject@rcpt mon 07:30
reject@rcpt sat 12:00
reject@rcpt sun 00:01
END
# Without that help, in ranges around now, also over midnight.
hour() { date -u -d "$1 hours" +%H:%M; }
while IFS='|' read -r what wanted is; do
	front '' "strict;when=not day;[condition day];is=$is"
	sent
	is "$what: $is" "$(mta_verdict)" "$wanted"
done <<END
day|accept@eom|time in $(hour -2)-$(hour +2)
night|reject@rcpt|time in $(hour +2)-$(hour -2)
two ranges|accept@eom|time in { $(hour +4)-$(hour +6), $(hour -1)-$(hour +1) }
END

# The same settings at any time, by the tool that asks no clock.
front '' "strict;when=not office_hours;$office"
while read -r wanted at; do
	status=0
	"${SEKISHOCTL:-$BUILDDIR/sekishoctl}" explain -c "$T/front.conf" \
		--at "$at" --of strict >"$T/explain" || status=$?
	is "at $at" "$status" "$wanted"
done <<'END'
20 Mon 08:00
20 Fri 19:59
0 Fri 20:00
0 Mon 07:59
0 Sun 12:00
END

# ---- a scanner for small messages only
start_child scan 'at body do skip
	at eom do addheader "X-Scanned" "yes"'
start_child whole 'at eom do addheader "X-Scanned" "yes"'
{
	printf 'Subject: large\n\n'
	head -c 20000 /dev/zero | tr '\0' 'x' | fold -w 70
	echo
} >"$T/large.eml"
printf 'Subject: small\n\nhello\n' >"$T/small.eml"
front '' 'scan;when=size < 10K'
sent "$T/small.eml"
like "a small message is scanned" "$(cat "$T/mta.out")" X-Scanned
is "... told all of it at its end" "$(heard scan)" \
	"connect helo mail rcpt data header eoh body eom"
sent "$T/large.eml"
unlike "a large one is not" "$(cat "$T/mta.out")" X-Scanned
is "... no connection was made for it" "$(log_since scan)" ""
like "... which the line tells" "$(line)" 'scan=skip\(condition\) .*=accept'

# What the client announces decides at MAIL, whatever then comes.
front '' 'scan;when=not declared_size > 10K and size < 10K'
sent --sender '<s@x.test> SIZE=20000' "$T/small.eml"
like "a large declared size decides" "$(log_since scan)|$(line)" \
	'^\|.*scan=skip\(condition\)'
sent --sender '<s@x.test> SIZE=100' "$T/small.eml"
like "a small declared size is not believed, only the message" \
	"$(cat "$T/mta.out")" X-Scanned
sent --sender '<s@x.test> SIZE=100' "$T/large.eml"
unlike "... as large as it is" "$(cat "$T/mta.out")" X-Scanned
sent "$T/small.eml"
like "without SIZE= the message decides" "$(cat "$T/mta.out")" X-Scanned

# ---- one for large messages only, which is known while they come
front '' 'whole;when=size > 10K'
sent "$T/large.eml" --chunk 4000
like "a large message is scanned" "$(cat "$T/mta.out")" X-Scanned
is "... all of its body told" \
	"$(log_since whole | sed -nE 's/^s1[0-9]* m1 eom body=([0-9]+).*/\1/p')" \
	"$(sed '1,/^$/d' "$T/large.eml" | sed 's/$/\r/' | wc -c)"
sent "$T/small.eml"
is "a small one is not" "$(log_since whole)" ""
done_testing
