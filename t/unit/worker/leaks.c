/*
 * leaks - what the leak checker is not to tell of this program
 *
 * With many tests at once Criterion now and then loses the few bytes it keeps
 * about one of its own processes; with one at a time (-j1) it does not.
 */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libcriterion\n";
}
