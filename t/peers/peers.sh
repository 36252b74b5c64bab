#!/usr/bin/env bash
# peers.sh - starts and stops the real MTA and milters that the tests talk to
# Debian 12, root, no init system needed; everything listens on loopback only.
set -euo pipefail

usage() {
  cat <<'USAGE'
peers.sh packages NAME...|all
peers.sh start NAME [--dir DIR] [--as INSTANCE] [--port N | --unix] [options]
peers.sh wait|stop|info INSTANCE [--dir DIR]
peers.sh postfix-set INSTANCE [--dir DIR] 'name=value'...
peers.sh dns-add [--dir DIR] 'name TYPE value'...
peers.sh stop-all|list [--dir DIR]

NAME: dns sink postfix opendkim opendmarc spamass clamav rspamd pyspf
  (packages also knows: tools = swaks)

common    --dir DIR       work directory (default $PEERS_DIR, else ./peers-run); must be reachable by
                          other users (no 0700 parent). State lives in DIR/INSTANCE/.
          --as INSTANCE   a second copy of the same component beside the first
          --port N        fixed TCP port (default: a free one of $PEERS_PORTS, 28000-28999)
          --unix          milter on a unix socket DIR/INSTANCE/milter.sock instead of TCP
postfix   --milters SPEC  value of smtpd_milters (default empty)
          --also LABEL=SPEC  one more smtpd on a port of its own (port_LABEL=) with this smtpd_milters (repeatable)
          --deliver X     maildir (default, DIR/INSTANCE/mail/box/new) or sink:PORT
          --default-action X (milter_default_action, default tempfail)
          --set name=value   (repeatable; any main.cf setting, wins over ours)
opendkim  --mode s|v|sv (sv)  --domain D (sender.test)  --sign-from CIDR (192.0.2.10)
          --bad reject|accept|tempfail|discard|quarantine (reject)  --keys INSTANCE (use its key)
opendmarc --reject true|false (true)
spamass   --reject SCORE (5)  --tag (never reject)  --milter-arg ARG (repeatable)
clamav    --infected Reject|Defer|Blackhole|Quarantine|Accept (Reject)
dns       --data FILE  more records, one 'name TYPE value' a line
sink      --sink-arg ARG (repeatable; e.g. -f --sink-arg rcpt for a 500 to RCPT)

start waits until the component is ready, then prints what `info` prints: key=value lines, e.g.
  milter=inet:127.0.0.1:28101   (Postfix's spelling)   spec=inet:28101@127.0.0.1   (libmilter's spelling)
USAGE
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
die() { echo "peers.sh: $*" >&2; exit 1; }

# --------------------------------------------------------------- packages
packages() {
  case $1 in
    dns) echo unbound ;;
    sink|postfix) echo postfix ;;
    opendkim) echo opendkim opendkim-tools ;;
    opendmarc) echo opendmarc ;;
    spamass) echo spamassassin spamd spamass-milter ;;
    clamav) echo clamav-daemon clamav-milter ;;
    rspamd) echo rspamd ;;
    pyspf) echo pyspf-milter ;;
    tools) echo swaks ;;
    *) die "unknown name: $1" ;;
  esac
}

# The names of the Debian packages, one a line: script/test installs them.
cmd_packages() {
  local n
  [ "${1:-all}" = all ] &&
    set -- dns sink postfix opendkim opendmarc spamass clamav rspamd pyspf tools
  for n in "$@"; do packages "$n" || exit 1; done | tr ' ' '\n' | sort -u
}

# ---------------------------------------------------------------- small tools
port_open() { # something listens on 127.0.0.1:$1 (read from the kernel, no connection is made)
  grep -qE ": (0100007F|00000000):$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}

# Several benches may start at once, and some daemons (unbound, rspamd) set SO_REUSEPORT: then a second one binds a
# taken address without an error and the two share its traffic. So addresses are claimed machine-wide, by a lock that
# this process (and the daemons it starts) holds; it goes with them, so nothing is left behind after a crash.
claim() { # NAME: succeeds when nobody else holds it
  local fd
  mkdir -p /tmp/sekisho-locks
  exec {fd}> "/tmp/sekisho-locks/$1"
  flock -n "$fd" || { exec {fd}>&-; return 1; }
}
pick_port() { # VARIABLE: set it to a free port that is claimed for us (no subshell: the lock would end with it)
  local _range=${PEERS_PORTS:-28000-28999} _lo _hi _p _i # underscores: must not hide the caller's VARIABLE
  _lo=${_range%-*} _hi=${_range#*-}
  for ((_i = 0; _i < 500; _i++)); do
    _p=$((_lo + RANDOM % (_hi - _lo + 1)))
    if claim "port-$_p" && ! port_open "$_p"; then printf -v "$1" %s "$_p"; return; fi
  done
  die "no free port in $_range"
}
want_port() { if [ -z "$PORT" ]; then pick_port PORT; fi; }

starttime() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20 || true; }
note_pid() { echo "$1 $(starttime "$1") $2" >> "$W/pids"; }
alive() { [ -n "$2" ] && [ "$(starttime "$1")" = "$2" ] && ! grep -q '^State:.[ZX]' "/proc/$1/status" 2>/dev/null; }
put() { printf '%s\n' "$@" >> "$W/info"; }
get() { sed -n "s/^$1=//p" "$W/info" | head -1; }
own() { chown -R "$1" "$2"; }

# A private /etc/resolv.conf (the dns peer's address, else a dead one), so that no peer ever asks the
# machine's own name server. unshare and exec keep the pid.
iso() {
  # shellcheck disable=SC2016  # expanded by the inner sh
  exec unshare --mount --propagation private sh -c \
    'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$DIR/resolv.conf" "$@"
}
run_bg() { # LABEL LOGFILE COMMAND...: start in the background, remember the pid
  local label=$1 log=$2; shift 2
  ( iso "$@" ) < /dev/null >> "$log" 2>&1 &
  note_pid $! "$label"
}

milter_socket() { # sets PORT/SOCK, SPEC (libmilter) and notes milter= (Postfix) and spec=
  if [ -n "$UNIX" ]; then
    SOCK=$W/milter.sock; SPEC=unix:$SOCK
    [ ${#SOCK} -le 100 ] || die "socket path too long: $SOCK"
    rm -f "$SOCK"; put "milter=unix:$SOCK" "spec=$SPEC" "sock=$SOCK"
  else
    want_port; SPEC=inet:$PORT@127.0.0.1
    put "milter=inet:127.0.0.1:$PORT" "spec=$SPEC" "port=$PORT"
  fi
}
listening() { # the instance's port or unix socket is there
  local p s
  p=$(get port); s=$(get sock)
  if [ -n "$p" ]; then port_open "$p"; else [ -S "$s" ]; fi
}

# ---------------------------------------------------------------- components
start_dns() {
  local i addr rec
  want_port
  for ((i = 53; i < 250; i++)); do # glibc and libunbound only speak to port 53: take a free 127.0.28.x
    addr=127.0.28.$i
    if claim "dns-$addr" && ! grep -q ": $(printf '%02X1C007F' "$i"):0035 " /proc/net/udp; then break; fi
  done
  # any other name, everywhere: NXDOMAIN at once
  cat > "$W/unbound.conf" <<X
server:
  interface: $addr@53
  interface: 127.0.0.1@$PORT
  directory: "$W"
  pidfile: "$W/unbound.pid"
  chroot: ""
  username: ""
  use-syslog: no
  logfile: "$W/log"
  log-queries: yes
  do-ip6: no
  num-threads: 1
  so-reuseport: no
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  local-zone: "." static
  include: "$W/data.conf"
remote-control:
  control-enable: yes
  control-use-cert: no
  control-interface: "$W/control"
X
  { cat "$HERE/zone.test" ${DATA:+"$DATA"}; cat "$DIR"/*/dns-record 2>/dev/null || true; } |
    while IFS= read -r rec; do if [ -n "$rec" ]; then echo "local-data: '$rec'"; fi; done > "$W/data.conf"
  run_bg unbound "$W/out" unbound -p -d -c "$W/unbound.conf"
  put "addr=$addr" "port=$PORT" "udp=127.0.0.1:$PORT" "log=$W/log"
  echo "nameserver $addr" > "$DIR/resolv.conf"
}
cmd_dns_add() { local r; for r in "$@"; do unbound-control -c "$DIR/dns/unbound.conf" local_data "$r" > /dev/null; done; }
ready_dns() { unbound-control -c "$W/unbound.conf" status > /dev/null 2>&1; }

start_sink() {
  want_port
  mkdir -p "$W/mail"; own nobody "$W/mail"
  run_bg smtp-sink "$W/log" smtp-sink -u nobody "${SINK_ARGS[@]}" -d "$W/mail/%H%M%S." "127.0.0.1:$PORT" 100
  put "port=$PORT" "mail=$W/mail"
}

start_postfix() {
  local transport=virtual d pair p s n max c
  want_port
  case $DELIVER in
    maildir) transport=virtual ;;
    sink:*) transport="smtp:[127.0.0.1]:${DELIVER#sink:}" ;;
    *) die "--deliver maildir or sink:PORT" ;;
  esac
  for d in etc queue data mail log; do mkdir -p "$W/$d"; done
  own postfix: "$W/data"; own postfix: "$W/mail"; own postfix: "$W/log"
  cat > "$W/etc/main.cf" <<X
compatibility_level = 3.6
queue_directory = $W/queue
data_directory = $W/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = $W/log/maillog
maillog_file_prefixes = $W
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C
myhostname = mta.test
mydomain = mta.test
myorigin = mta.test
mydestination =
mynetworks = 192.0.2.250/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_tls_security_level = none
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
local_recipient_maps =
virtual_mailbox_domains = rcpt.test
virtual_mailbox_base = $W/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_transport = $transport
smtpd_milters = $MILTERS
milter_protocol = 6
milter_default_action = $DEFAULT_ACTION
milter_connect_macros = j {daemon_name} {daemon_addr} {daemon_port} v _ {client_addr} {client_name} {client_ptr} {client_port} {client_connections}
milter_mail_macros = i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}
milter_rcpt_macros = i {rcpt_addr} {rcpt_host} {rcpt_mailer}
X
  # name type private unpriv chroot wakeup maxproc command: Debian's services, nothing chrooted
  {
    echo "127.0.0.1:$PORT inet n - n - - smtpd"
    echo 'pickup unix n - n 60 1 pickup'
    echo 'qmgr unix n - n 300 1 qmgr'
    echo 'flush unix n - n 1000? 0 flush'
    echo 'postlog unix-dgram n - n - 1 postlogd'
    echo 'virtual unix - n n - - virtual'
    echo 'cleanup unix n - n - 0 cleanup'
    echo 'showq unix n - n - - showq'
    for s in 'rewrite - trivial-rewrite' 'bounce 0 bounce' 'defer 0 bounce' 'trace 0 bounce' 'smtp - smtp' \
             'error - error' 'retry - error' 'discard - discard' 'anvil 1 anvil' 'proxymap - proxymap'; do
      echo "$s" | { read -r n max c; echo "$n unix - - n - $max $c"; }
    done
  } > "$W/etc/master.cf"
  for pair in "${ALSO[@]}"; do
    pick_port p; put "port_${pair%%=*}=$p"
    printf '127.0.0.1:%s inet n - n - - smtpd\n  -o { smtpd_milters = %s }\n' "$p" "${pair#*=}" >> "$W/etc/master.cf"
  done
  for pair in "${SETS[@]}"; do postconf -c "$W/etc" -e "$pair"; done
  ( iso postfix -c "$W/etc" start ) < /dev/null >> "$W/out" 2>&1 || { cat "$W/out" "$W/log/maillog" >&2; die "postfix start failed"; }
  note_pid "$(tr -d ' ' < "$W/queue/pid/master.pid")" postfix-master
  put "port=$PORT" "config=$W/etc" "log=$W/log/maillog" "mail=$W/mail/box/new"
}

cmd_postfix_set() { # new settings, then reload; returns when no smtpd with the old settings is left
  local pair n pid old=() master
  master=$(tr -d ' ' < "$W/queue/pid/master.pid")
  n=$(grep -c 'reload -- version' "$W/log/maillog" || true)
  for pid in $(< "/proc/$master/task/$master/children"); do
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = smtpd ]; then old+=("$pid $(starttime "$pid")"); fi
  done
  for pair in "$@"; do postconf -c "$W/etc" -e "$pair"; done
  postfix -c "$W/etc" reload > /dev/null 2>&1
  reloaded() {
    local o
    [ "$(grep -c 'reload -- version' "$W/log/maillog" || true)" -gt "$n" ] || return 1
    for o in "${old[@]}"; do if alive "${o% *}" "${o#* }"; then return 1; fi; done
  }
  until_ready 30 reloaded
}

start_opendkim() {
  local sel=${KEYS:-$INST} k name strings # the selector is the instance's name: one key each
  k=$DIR/$sel name=$sel._domainkey.$DOMAIN
  milter_socket
  if [ -z "$KEYS" ]; then
    opendkim-genkey -b 2048 -d "$DOMAIN" -s "$sel" -D "$W"
    strings=$(grep -o '"[^"]*"' "$W/$sel.txt" | tr '\n' ' ') # each at most 255 bytes
    echo "$name ${strings//\" \"/}" | tr -d '"' > "$W/public-keys" # for TestPublicKeys, no DNS needed
    echo "$name TXT $strings" > "$W/dns-record"                # for the dns peer
    if [ -e "$DIR/dns/pids" ]; then
      unbound-control -c "$DIR/dns/unbound.conf" local_data_remove "$name" > /dev/null
      cmd_dns_add "$(cat "$W/dns-record")"
    fi
  fi
  cat > "$W/opendkim.conf" <<X
Syslog no
UserID opendkim:opendkim
UMask 000
Socket $SPEC
Mode $MODE
Domain $DOMAIN
Selector $sel
KeyFile $k/$sel.private
RequireSafeKeys false
InternalHosts $SIGN_FROM
TestPublicKeys $k/public-keys
Canonicalization relaxed/simple
AuthservID mta.test
On-BadSignature $BAD
On-KeyNotFound accept
X
  own opendkim:opendkim "$W"
  run_bg opendkim "$W/log" opendkim -f -x "$W/opendkim.conf"
  put "log=$W/log" "selector=$sel" "key=$k/$sel.private" "public=$k/public-keys" "dnsrecord=$k/dns-record"
}

start_opendmarc() {
  milter_socket
  echo 192.0.2.99 > "$W/ignore"
  cat > "$W/opendmarc.conf" <<X
Syslog false
UserID opendmarc:opendmarc
UMask 000
Socket $SPEC
AuthservID mta.test
TrustedAuthservIDs mta.test
RejectFailures $REJECT
SPFSelfValidate true
IgnoreHosts $W/ignore
SoftwareHeader true
X
  own opendmarc:opendmarc "$W"
  run_bg opendmarc "$W/log" opendmarc -f -c "$W/opendmarc.conf"
  put "log=$W/log"
}

start_spamass() {
  local spamd_port args=()
  milter_socket
  pick_port spamd_port
  mkdir -p "$W/etc" "$W/home"; cp /etc/spamassassin/*.pre "$W/etc/"
  cat > "$W/etc/local.cf" <<'X'
required_score 5.0
report_safe 0
use_bayes 0
dns_available no
skip_rbl_checks 1
score RCVD_ILLEGAL_IP 0
header   BENCH_SUBJ Subject =~ /bench-spam-subject/
score    BENCH_SUBJ 8
describe BENCH_SUBJ local rule of the test bench
body     BENCH_HAM /bench-ham-marker/
score    BENCH_HAM -8
describe BENCH_HAM local rule of the test bench
X
  own debian-spamd "$W/home"
  run_bg spamd "$W/out" spamd -L -x -u debian-spamd -m 2 --min-children=1 -i 127.0.0.1 -p "$spamd_port" \
    --siteconfigpath "$W/etc" -H "$W/home" -s "$W/spamd.log"
  # connects to spamd only when a message comes, so it may start at once
  if [ "$REJECT" != never ]; then args+=(-r "$REJECT"); fi
  umask 000
  run_bg spamass-milter "$W/log" spamass-milter -p "$SPEC" "${args[@]}" "${MILTER_ARGS[@]}" -- -d 127.0.0.1 -p "$spamd_port"
  umask 022
  put "log=$W/spamd.log" "spamd_port=$spamd_port"
}
ready_spamass() { listening && grep -q 'spamd: server started' "$W/spamd.log" 2>/dev/null; }

start_clamav() {
  milter_socket
  mkdir -p "$W/db" "$W/tmp"
  # NAME:TARGET:OFFSET:HEX  (EICAR at the start of a part or body; the marker anywhere)
  cat > "$W/db/bench.ndb" <<X
Eicar-Test-Signature:0:0:$(hex "$(eicar)")
Bench.Marker:0:*:$(hex BENCH-VIRUS-MARKER-7f3a)
X
  cat > "$W/clamd.conf" <<X
Foreground yes
DatabaseDirectory $W/db
LocalSocket $W/clamd.sock
LocalSocketMode 666
LogFile $W/clamd.log
TemporaryDirectory $W/tmp
User clamav
MaxThreads 4
X
  cat > "$W/clamav-milter.conf" <<X
Foreground yes
MilterSocket ${SPEC}
MilterSocketMode 666
User clamav
ClamdSocket unix:$W/clamd.sock
LogFile $W/milter.log
LogVerbose yes
LogInfected Full
LogClean Basic
OnInfected $INFECTED
OnFail Defer
AddHeader Replace
TemporaryDirectory $W/tmp
X
  if [ "$INFECTED" = Reject ]; then echo 'RejectMsg virus found: %v' >> "$W/clamav-milter.conf"; fi
  own clamav:clamav "$W"
  run_bg clamd "$W/out" clamd -c "$W/clamd.conf"
  until_ready 60 test -S "$W/clamd.sock"
  run_bg clamav-milter "$W/out" clamav-milter -c "$W/clamav-milter.conf"
  put "log=$W/milter.log" "clamd_log=$W/clamd.log" "clamd=$W/clamd.sock"
}
# shellcheck disable=SC2016  # no expansion wanted; in two pieces, so that this file is clean
eicar() { printf '%s' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-' 'STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'; }
hex() { printf '%s' "$1" | od -An -tx1 | tr -d ' \n'; }
ready_clamav() { listening && grep -q 'Probe for slot 1 returned: success' "$W/milter.log" 2>/dev/null; }

start_rspamd() {
  local bind ns
  milter_socket
  if [ -n "$UNIX" ]; then bind="$SOCK mode=0666"; else bind=127.0.0.1:$PORT; fi
  ns=$(sed -n 's/^nameserver //p' "$DIR/resolv.conf")
  mkdir -p "$W/run" "$W/db" "$W/tmp"
  printf '%s\n' com net org test example > "$W/tld.dat" # the real list costs 10 s at start
  # our own small rspamd.conf, not the packaged one: that wants redis, HTTP maps and public DNS lists
  cat > "$W/rspamd.conf" <<X
options {
  pidfile = "$W/run/rspamd.pid"; control_socket = "$W/run/control.sock mode=0600";
  cache_file = "$W/db/symbols.cache"; hs_cache_dir = "$W/db/"; dynamic_conf = "$W/db/dynamic";
  history_file = "$W/db/history"; stats_file = "$W/db/stats.ucl"; tempdir = "$W/tmp";
  url_tld = "$W/tld.dat"; disable_hyperscan = true; filters = "regexp,dkim"; local_addrs = [];
  dns { nameserver = ["$ns:53"]; timeout = 1s; retransmits = 1; }
}
logging { type = "file"; filename = "$W/log"; level = "info"; }
lua = "/usr/share/rspamd/rules/rspamd.lua";
modules { path = "/usr/share/rspamd/plugins/"; }
actions { reject = 15; rewrite_subject = 10; add_header = 6; greylist = null; subject = "[SPAM] %s"; }
regexp {
  BENCH_RSPAMD_HEADER { re = "Subject=/bench-rspamd-header/H"; score = 7; }
  BENCH_RSPAMD_SUBJECT { re = "Subject=/bench-rspamd-subject/H"; score = 11; }
  BENCH_RSPAMD_REJECT { re = "Subject=/bench-rspamd-reject/H"; score = 20; }
}
milter_headers { use = ["x-spamd-result", "x-spam-level", "authentication-results"]; extended_spam_headers = true; }
spf { }
dmarc { }
worker "rspamd_proxy" {
  bind_socket = "$bind"; milter = yes; timeout = 60s; count = 1; max_retries = 2;
  spam_header = "X-Spam"; reject_message = "Spam message rejected";
  upstream "local" { default = yes; self_scan = yes; }
}
X
  : > "$W/log"; own _rspamd:_rspamd "$W"
  run_bg rspamd "$W/out" rspamd -f -u _rspamd -g _rspamd -c "$W/rspamd.conf"
  put "log=$W/log"
}
ready_rspamd() { listening && grep -q 'main: listening for control commands' "$W/log"; }

start_pyspf() {
  milter_socket
  cat > "$W/pyspf-milter.conf" <<X
debugLevel = 1
TestOnly = 1
HELO_reject = False
Mail_From_reject = Fail
PermError_reject = False
TempError_Defer = True
Authserv_Id = mta.test
skip_addresses = 127.0.0.0/8
InternalHosts = 127.0.0.1
Socket = $SPEC
UMask = 0
PidFile = $W/pid
UserID = pyspf-milter
X
  own pyspf-milter "$W"
  run_bg pyspf-milter "$W/log" /usr/bin/pyspf-milter "$W/pyspf-milter.conf"
  put "log=$W/log"
}

# ---------------------------------------------------------------- start, wait, stop
until_ready() { # SECONDS COMMAND...: poll until it succeeds; fails early when a pid of ours has died
  local end=$((SECONDS + $1)) pid st label; shift
  until "$@"; do
    if [ -e "$W/pids" ]; then
      while read -r pid st label; do
        alive "$pid" "$st" || { tail -n 20 "$W"/out "$W"/log "$W"/*.log >&2 2>/dev/null || true; die "$label of $INST died"; }
      done < "$W/pids"
    fi
    [ $SECONDS -lt $end ] || die "$INST not ready in time, see $W"
    sleep 0.05
  done
}

cmd_wait() {
  local kind check
  kind=$(get kind); check=listening
  if declare -F "ready_$kind" > /dev/null; then check=ready_$kind; fi
  until_ready "$TIMEOUT" "$check"
}

cmd_start() {
  local p
  [ "$(id -u)" = 0 ] || die "needs root"
  declare -F "start_$NAME" > /dev/null || die "unknown component: $NAME"
  mkdir -p "$DIR"; chmod a+rx "$DIR"
  p=$DIR
  while [ "$p" != / ]; do
    case $(stat -c %A "$p") in *[xt]) ;; *) die "$p is closed to other users (chmod a+x it, or choose another --dir)" ;; esac
    p=$(dirname "$p")
  done
  [ -e "$DIR/resolv.conf" ] || echo 'nameserver 127.0.0.1' > "$DIR/resolv.conf"
  if [ -e "$W/pids" ]; then cmd_stop; fi
  rm -rf "$W"
  mkdir -p "$W"; chmod 755 "$W"
  put "kind=$NAME" "dir=$W"
  "start_$NAME"
  cmd_wait
  cat "$W/info"
}

term() { # [SIGNAL for libmilter's] ask the instance's processes to end, last started first; only those that are still ours
  local pid st label
  while read -r pid st label; do
    if ! alive "$pid" "$st"; then continue; fi
    case $label in
      postfix-master) postfix -c "$W/etc" stop > /dev/null 2>&1 || true ;;
      opendkim|opendmarc|clamav-milter|spamass-milter) kill -"${1:-TERM}" "$pid" 2>/dev/null || true ;;
      *) kill "$pid" 2>/dev/null || true ;;
    esac
  done < <(tac "$W/pids")
}
gone() { # wait until they have ended (libmilter looks at its stop flag every 5 s), then forget them
  local pid st label end=$((SECONDS + 15))
  while read -r pid st label; do
    while alive "$pid" "$st"; do
      if [ $SECONDS -ge $end ]; then echo "peers.sh: $label ($pid) ignores TERM, killing it" >&2; kill -KILL "$pid" || true; fi
      sleep 0.05
    done
  done < "$W/pids"
  rm -f "$W/pids"
  if [ "$(get kind)" = dns ]; then echo 'nameserver 127.0.0.1' > "$DIR/resolv.conf"; fi
}
cmd_stop() { if [ -e "$W/pids" ]; then term; gone; fi; }
cmd_stop_all() { # MTAs first, so that no message is cut; then all others at once; for libmilter's 5 s nobody waits
  local step i list
  for step in mta rest; do
    list=$(for i in $(each_instance); do W=$DIR/$i; case $(get kind) in postfix) echo "mta $i" ;; *) echo "rest $i" ;; esac; done)
    list=$(echo "$list" | sed -n "s/^$step //p")
    for i in $list; do W=$DIR/$i; term KILL; done
    for i in $list; do INST=$i; W=$DIR/$i; gone; done
  done
}

each_instance() { local f; for f in "$DIR"/*/pids; do [ -e "$f" ] && basename "$(dirname "$f")"; done; true; }

# ---------------------------------------------------------------- command line
[ $# -gt 0 ] || { usage; exit 2; }
CMD=$1; shift
case $CMD in
  packages) cmd_packages "$@"; exit ;;
  -h|--help|help) usage; exit ;;
esac
DIR=${PEERS_DIR:-$PWD/peers-run} INST='' UNIX='' PORT='' TIMEOUT=90 ARGS=()
MILTERS='' DELIVER=maildir DEFAULT_ACTION=tempfail SETS=() ALSO=() MODE=sv DOMAIN=sender.test SIGN_FROM=192.0.2.10
BAD=reject KEYS='' REJECT='' MILTER_ARGS=() INFECTED=Reject DATA='' SINK_ARGS=()
while [ $# -gt 0 ]; do
  case $1 in
    --unix) UNIX=1; shift; continue ;;
    --tag) REJECT=never; shift; continue ;;
    --*) [ $# -ge 2 ] || die "$1 needs a value" ;;
  esac
  case $1 in
    --dir) DIR=$2 ;; --as) INST=$2 ;; --port) PORT=$2 ;; --timeout) TIMEOUT=$2 ;;
    --milters) MILTERS=$2 ;; --deliver) DELIVER=$2 ;; --default-action) DEFAULT_ACTION=$2 ;;
    --set) SETS+=("$2") ;; --also) ALSO+=("$2") ;;
    --mode) MODE=$2 ;; --domain) DOMAIN=$2 ;; --sign-from) SIGN_FROM=$2 ;; --bad) BAD=$2 ;; --keys) KEYS=$2 ;;
    --reject) REJECT=$2 ;; --milter-arg) MILTER_ARGS+=("$2") ;; --infected) INFECTED=$2 ;;
    --data) DATA=$2 ;; --sink-arg) SINK_ARGS+=("$2") ;;
    --*) die "unknown option: $1" ;;
    *) ARGS+=("$1"); shift; continue ;;
  esac
  shift 2
done
case $DIR in /*) ;; *) DIR=$PWD/$DIR ;; esac
NAME=${ARGS[0]:-}
INST=${INST:-$NAME}
W=$DIR/$INST
if [ -z "$REJECT" ]; then if [ "$NAME" = opendmarc ]; then REJECT=true; else REJECT=5; fi; fi
need_instance() { if [ -z "$NAME" ] || [ ! -e "$W/info" ]; then die "no instance '$NAME' under $DIR"; fi; }

case $CMD in
  start) cmd_start ;;
  wait) need_instance; cmd_wait ;;
  info) need_instance; cat "$W/info" ;;
  stop) need_instance; cmd_stop ;;
  list) each_instance ;;
  stop-all) cmd_stop_all ;;
  postfix-set) need_instance; cmd_postfix_set "${ARGS[@]:1}" ;;
  dns-add) cmd_dns_add "${ARGS[@]}" ;;
  *) usage; exit 2 ;;
esac
