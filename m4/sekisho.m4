dnl What configure asks the compiler.  Own macros of a few lines, so that
dnl autoreconf needs nothing beyond autoconf, automake and pkg-config.

dnl SEKISHO_CFLAGS(VARIABLE, FLAG...): appends each flag the compiler takes
dnl without a word.
AC_DEFUN([SEKISHO_CFLAGS], [
m4_foreach_w([flag], [$2], [
	AC_MSG_CHECKING([whether $CC takes flag])
	sekisho_saved=$CFLAGS
	CFLAGS="$CFLAGS -Werror flag"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]],
		[[char a[8]; memset(a, 0, sizeof(a)); return a[0];]])],
		[$1="$$1 flag"; AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])])
	CFLAGS=$sekisho_saved
])])

dnl SEKISHO_LDFLAGS(VARIABLE, FLAG...): the same for the linker.
AC_DEFUN([SEKISHO_LDFLAGS], [
m4_foreach_w([flag], [$2], [
	AC_MSG_CHECKING([whether the linker takes flag])
	sekisho_saved=$LDFLAGS
	sekisho_saved_c=$CFLAGS
	LDFLAGS="$LDFLAGS -Werror flag"
	CFLAGS="$CFLAGS $hardening_CFLAGS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
		[$1="$$1 flag"; AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])])
	LDFLAGS=$sekisho_saved
	CFLAGS=$sekisho_saved_c
])])
