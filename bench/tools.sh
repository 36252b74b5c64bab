# shellcheck shell=bash disable=SC2034
# tools.sh - what bench/compare and bench/calls share: builds the programs
#
# Sourced after script/common.sh, never run.

# Builds the tools of this folder into DIR, and sekishod unless BUILD is set.
build_bench() { # DIR
	local cc="gcc -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -I$ROOT"
	local here=$ROOT/bench
	# shellcheck disable=SC2086 # lists of names
	install_missing $PACKAGES_BUILD $PACKAGES_BENCH
	if [ -z "$BUILD" ]; then
		BUILD=$1/build
		build_in "$BUILD"
	fi
	[ -x "$BUILD/sekishod" ] || die "no sekishod in $BUILD"
	$cc -o "$1/sekisho-bench" "$here/sekisho_bench.c" "$here/load_session.c" \
		"$here/load_peer.c" "$here/load_tally.c" "$BUILD/shared/libshared.a"
	$cc -o "$1/copy_floor" "$here/copy_floor.c"
	$cc -o "$1/light_milter" "$here/light_milter.c"
	$cc -o "$1/null_milter" "$here/null_milter.c" -lmilter -lpthread
}
