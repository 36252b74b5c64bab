# shellcheck shell=bash disable=SC2034
# common.sh - what script/demo, script/test and .ci/run share
#
# Finds the checkout, installs what is missing (Debian, as root), builds in a
# directory of its own.  Sourced, never run.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=${JOBS:-$(nproc)}
# Tests wait more than they compute: three at a time for each core, but no more
# than the memory of a small machine allows.
TEST_JOBS=${TEST_JOBS:-$((JOBS * 3 < 12 ? JOBS * 3 : 12))}
export DEBIAN_FRONTEND=noninteractive

PACKAGES_BUILD="gcc make libc6-dev autoconf automake pkg-config
	libpcre2-dev libiniparser-dev libsystemd-dev"
PACKAGES_TEST="libcriterion-dev logrotate mandoc procps prometheus python3
	python3-prometheus-client strace systemd"
PACKAGES_CI="clang llvm shellcheck xz-utils"
PACKAGES_POSTFIX="postfix"
PACKAGES_BENCH="libmilter-dev python3 procps strace"

say() { printf '==> %s\n' "$*"; }
die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

missing_packages() { # NAME...: prints those that are not installed
	local p
	for p in "$@"; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null |
			grep -q 'ok installed' || echo "$p"
	done
}

# Installs what is missing.  No service is started: this machine is here to
# build and to test, whatever the packages think of that.
install_missing() { # NAME...
	local need policy=/usr/sbin/policy-rc.d made=
	command -v dpkg-query >/dev/null ||
		die "this is not Debian; INSTALL says what is needed"
	# shellcheck disable=SC2046 # names hold no blanks
	need=$(missing_packages "$@" | tr '\n' ' ')
	[ -n "$need" ] || return 0
	[ "$(id -u)" = 0 ] || die "not installed: $need(run as root, or install them)"
	say "installing: $need"
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		made=1
	fi
	debconf-set-selections <<'X' || true
postfix postfix/main_mailer_type select No configuration
opendmarc opendmarc/dbconfig-install boolean false
X
	# shellcheck disable=SC2086 # a list of names
	if ! apt_install $need; then
		say "reading the package lists anew"
		apt-get -qq -o DPkg::Lock::Timeout=600 update </dev/null
		apt_install $need || {
			[ -z "$made" ] || rm -f $policy
			die "could not install: $need"
		}
	fi
	[ -z "$made" ] || rm -f $policy
}

apt_install() {
	timeout -k 10 900 apt-get -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
		install "$@" </dev/null >/tmp/sekisho-apt.$$ 2>&1 || {
		tail -n 5 /tmp/sekisho-apt.$$
		rm -f /tmp/sekisho-apt.$$
		return 1
	}
	rm -f /tmp/sekisho-apt.$$
}

quietly() { # LOG COMMAND...: shows the log's end only when it fails
	local log=$1
	shift
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 40 "$log"
		die "failed: $* (all of it: $log)"
	fi
}

# Builds in DIR; configures once, with the options given.
build_in() { # DIR [CONFIGURE-OPTION...]
	local dir=$1
	shift
	mkdir -p "$dir"
	if [ ! -x "$ROOT/configure" ] ||
		[ "$ROOT/configure.ac" -nt "$ROOT/configure" ]; then
		say "autoreconf"
		(cd "$ROOT" && quietly "$dir/autoreconf.log" autoreconf -i)
	fi
	if [ ! -e "$dir/Makefile" ]; then
		say "configure $*"
		(cd "$dir" && quietly configure.out "$ROOT/configure" "$@")
	fi
	say "make"
	(cd "$dir" && quietly make.out timeout -k 10 900 make -j"$JOBS")
}

# What the .trs files of a build directory say, on one line:
# "PASSED FAILED SKIPPED".  FAILED counts errors and missing plans too.
count_results() { # DIR [SUBTREE]
	find "$1/t/${2:-}" -name '*.trs' -exec cat {} + |
		awk '/^:test-result: PASS/ { p++ }
		/^:test-result: (FAIL|XPASS|ERROR)/ { f++ }
		/^:test-result: SKIP/ { s++ }
		END { print p + 0, f + 0, s + 0 }'
}

# ------------------------------------------------------------- what became of it
# The slowest test programs of a build directory, as limit.sh and criterion.sh
# have measured them.
slowest_tests() { # DIR NUMBER
	find "$1/t" -name '*.log' -exec grep -H '^# took [0-9]' {} + |
		sed -E "s|^$1/(.*)\.log:# took ([0-9.]+) s, cpu (.*)|\2 \3 \1|" |
		sort -rn | head -n "$2" |
		awk '{ printf "  %7.1f s, cpu %6.1f s  %s\n", $1, $2 + $4, $NF }'
}

# The failed tests of a build directory once more, with what their log says
# around them; a program without a result did not come to its end.
show_failures() { # DIR
	local log
	find "$1/t" -name '*.log' | sort | while read -r log; do
		if [ ! -e "${log%.log}.trs" ]; then
			echo "UNFINISHED: ${log#"$1/"}"
			tail -n 10 "$log" | sed 's/^/    /'
		elif grep -Eq '^:test-result: (FAIL|XPASS|ERROR)' "${log%.log}.trs"
		then
			failures_in "$log"
		fi | cut -c1-160
	done
}

failures_in() { # LOG: for each of them at most 15 lines
	awk '/^(FAIL|XPASS|ERROR): / {
			print
			if ($1 == "ERROR:")
				for (i = NR > 5 ? NR - 5 : 1; i < NR; i++)
					print "    " kept[i % 5]
			left = $1 == "ERROR:" ? 9 : 14
		}
		{ kept[NR % 5] = $0 }
		/^((not )?ok|PASS|SKIP|1\.\.)/ { left = 0 }
		!/^(FAIL|XPASS|ERROR): / && left-- > 0 { print "    " $0 }' "$1"
}
