#include "server/priv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/unit/support/expect_log.h"

TestSuite(priv, .init = expect_log_begin, .fini = expect_log_end);

Test(priv, owners_by_name_and_number)
{
	uid_t uid;
	gid_t gid;

	cr_assert(priv_uid_of("", &uid));
	cr_assert_eq(uid, (uid_t)-1);
	cr_assert(priv_uid_of("root", &uid));
	cr_assert_eq(uid, 0);
	cr_assert(priv_uid_of("4711", &uid));
	cr_assert_eq(uid, 4711);
	cr_assert_not(priv_uid_of("no such user", &uid));
	/* The number that means "unchanged" is nobody's. */
	cr_assert_not(priv_uid_of("4294967295", &uid));
	cr_assert(priv_gid_of("", &gid));
	cr_assert_eq(gid, (gid_t)-1);
	cr_assert(priv_gid_of("root", &gid));
	cr_assert_eq(gid, 0);
	cr_assert(priv_gid_of("4711", &gid));
	cr_assert_eq(gid, 4711);
	cr_assert_not(priv_gid_of("no such group", &gid));
}

Test(priv, without_a_user_we_stay_who_we_are)
{
	struct conf conf = { .user = "", .group = "" };
	struct priv p;

	cr_assert(priv_find(&conf, &p));
	cr_assert_not(p.change);
	cr_assert_eq(p.uid, geteuid());
	cr_assert_eq(p.gid, getegid());
	if (geteuid() == 0)
		expect_log(LOG_LEVEL_WARN, "workers run as root");
	priv_tell(&p);
}

Test(priv, finds_the_user)
{
	struct conf conf = { .user = "nobody", .group = "mail" };
	struct priv p;
	gid_t mail;

	cr_assert(priv_gid_of("mail", &mail));
	cr_assert(priv_find(&conf, &p));
	if (geteuid() != 0) {
		cr_assert_not(p.change);
		expect_log(LOG_LEVEL_WARN, "is ignored: not started as root");
		priv_tell(&p);
		return;
	}
	cr_assert(p.change);
	cr_assert_neq(p.uid, 0);
	cr_assert_eq(p.gid, mail);
	cr_assert_geq(p.group_count, 1);
	priv_tell(&p);
}

Test(priv, an_unknown_user_is_told)
{
	struct conf conf = { .user = "no such user", .group = "" };
	struct priv p;

	if (geteuid() == 0)
		expect_log(LOG_LEVEL_ERROR, "user \"no such user\"");
	cr_assert_eq(priv_find(&conf, &p), geteuid() != 0);
	conf.user = "nobody";
	conf.group = "no such group";
	if (geteuid() == 0)
		expect_log(LOG_LEVEL_ERROR, "group \"no such group\"");
	cr_assert_eq(priv_find(&conf, &p), geteuid() != 0);
}

Test(priv, spool)
{
	static const struct {
		mode_t mode;
		bool ok;
	} cases[] = { { 0700, true },  { 0755, true },	 { 0770, false },
		      { 0702, false }, { 01777, false }, { 0777, false } };
	char dir[] = "/tmp/sekisho-spool.XXXXXX";

	cr_assert_not_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(chmod(dir, cases[i].mode), 0);
		if (!cases[i].ok)
			expect_log(LOG_LEVEL_ERROR,
				   "can be written by group or others");
		cr_expect_eq(priv_check_spool(dir, true), cases[i].ok,
			     "mode %o", cases[i].mode);
	}
	rmdir(dir);
	expect_log(LOG_LEVEL_ERROR, "create it with mode 0700");
	cr_assert_not(priv_check_spool(dir, true));
	expect_log(LOG_LEVEL_ERROR, "is not a directory");
	cr_assert_not(priv_check_spool("/dev/null", true));
}
