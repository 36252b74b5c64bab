#include "shared/cond_tree.h"

#define DAY 86400

static const char *const weekdays[] = { "sunday",    "monday",	 "tuesday",
					"wednesday", "thursday", "friday",
					"saturday" };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Digits with at most one dot, in thousandths; further digits behind the dot
 * are cut off.  Takes them off the front of *rest.  False: none, or too many.
 */
static bool take_decimal(struct slice *rest, int64_t *number_out)
{
	size_t i = 0;
	int64_t n = 0, unit = 100;

	while (i < rest->len && is_digit(rest->data[i])) {
		if (n > INT64_MAX / 100000)
			return false;
		n = n * 10 + (rest->data[i++] - '0');
	}
	if (i == 0)
		return false;
	n *= 1000;
	if (i + 1 < rest->len && rest->data[i] == '.' &&
	    is_digit(rest->data[i + 1])) {
		for (i++; i < rest->len && is_digit(rest->data[i]); i++) {
			n += unit * (rest->data[i] - '0');
			unit /= 10;
		}
	}
	*rest = slice_from(*rest, i);
	*number_out = n;
	return true;
}

static bool take_signed(struct slice *rest, int64_t *number_out)
{
	bool minus = rest->len && rest->data[0] == '-';

	if (minus || (rest->len && rest->data[0] == '+'))
		*rest = slice_from(*rest, 1);
	if (!take_decimal(rest, number_out))
		return false;
	if (minus)
		*number_out = -*number_out;
	return true;
}

bool cond_value_leading(struct slice text, int64_t *number_out)
{
	text = slice_trim(text);
	return take_signed(&text, number_out);
}

struct unit {
	const char *word;
	int64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 },	   { "B", 1 },	      { "K", 1 << 10 },
	{ "KB", 1 << 10 }, { "M", 1 << 20 },  { "MB", 1 << 20 },
	{ "G", 1 << 30 },  { "GB", 1 << 30 }, { NULL, 0 },
};

/* A bare number of what?  So a unit is asked for. */
static const struct unit duration_units[] = {
	{ "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", DAY }, { NULL, 0 },
};

static bool with_unit(struct slice text, const struct unit *units,
		      int64_t *number_out)
{
	int64_t n;

	if (!take_decimal(&text, &n))
		return false;
	while (units->word && !slice_is_case(text, units->word))
		units++;
	if (!units->word || __builtin_mul_overflow(n, units->factor, &n))
		return false;
	*number_out = n / 1000;
	return true;
}

/* Two digits, or one in front. */
static bool take_part(struct slice *rest, uint64_t max, int64_t *number_out)
{
	struct slice part;
	uint64_t n;

	if (!slice_split(rest, ':', &part) || part.len > 2 ||
	    !slice_to_u64(part, max, &n))
		return false;
	*number_out = (int64_t)n;
	return true;
}

static bool time_of_day(struct slice text, int64_t *number_out)
{
	int64_t h, m, s = 0;

	if (!take_part(&text, 24, &h) || !take_part(&text, 59, &m))
		return false;
	if (text.data && !take_part(&text, 59, &s))
		return false;
	if (text.data || h * 3600 + m * 60 + s > DAY)
		return false;
	*number_out = h * 3600 + m * 60 + s;
	return true;
}

static bool weekday(struct slice text, int64_t *number_out)
{
	for (int i = 0; i < 7; i++) {
		struct slice full = slice_str(weekdays[i]);

		if (slice_equal_case(text, full) ||
		    slice_equal_case(text, slice_head(full, 3))) {
			*number_out = i;
			return true;
		}
	}
	return false;
}

static bool verdict(struct slice text, int64_t *number_out)
{
	enum fact_milter word = facts_milter_find(text);

	*number_out = (int64_t)word;
	return word != FACT_MILTER_COUNT;
}

static bool plain_number(struct slice text, int64_t *number_out)
{
	return take_signed(&text, number_out) && text.len == 0;
}

bool cond_value_number(enum fact_type type, struct slice text,
		       int64_t *number_out)
{
	switch (type) {
	case FACT_IS_SIZE:
		return with_unit(text, size_units, number_out);
	case FACT_IS_DURATION:
		return with_unit(text, duration_units, number_out);
	case FACT_IS_TIME:
		return time_of_day(text, number_out);
	case FACT_IS_WEEKDAY:
		return weekday(text, number_out);
	case FACT_IS_VERDICT:
		return verdict(text, number_out);
	case FACT_IS_NUMBER:
	case FACT_IS_TEXT: /* compared by its number */
		return plain_number(text, number_out);
	case FACT_IS_BOOL:
	case FACT_IS_WORD:
	case FACT_IS_DOMAIN:
	case FACT_IS_MAILBOX:
	case FACT_IS_ADDRESS:
	case FACT_TYPE_COUNT:
		break;
	}
	return false;
}

/* The end of a time range is the first second behind it. */
static size_t time_ranges(int64_t low, int64_t high, struct cond_range *out)
{
	if (low == high || low == DAY)
		return 0;
	if (low < high) {
		out[0] = (struct cond_range){ low, high - 1 };
		return 1;
	}
	out[0] = (struct cond_range){ low, DAY - 1 };
	if (high == 0)
		return 1;
	out[1] = (struct cond_range){ 0, high - 1 };
	return 2;
}

static size_t day_ranges(int64_t low, int64_t high, struct cond_range *out)
{
	out[0] = (struct cond_range){ low, high };
	if (low <= high)
		return 1;
	out[0].high = 6;
	out[1] = (struct cond_range){ 0, high };
	return 2;
}

/* One value: a time of day written without seconds is that minute. */
static size_t one_value(enum fact_type type, struct slice text,
			struct cond_range *out)
{
	if (!cond_value_number(type, text, &out->low))
		return 0;
	out->high = out->low;
	if (type != FACT_IS_TIME)
		return 1;
	if (out->low == DAY)
		return 0;
	if (text.len <= 5)
		out->high += 59;
	return 1;
}

size_t cond_value_ranges(enum fact_type type, struct slice text,
			 struct cond_range ranges_out[2])
{
	struct cond_range r;
	/* A minus in front belongs to the number. */
	ptrdiff_t at = slice_find(slice_from(text, 1), '-');
	size_t dash = (size_t)at + 1;

	if (at < 0)
		return one_value(type, text, ranges_out);
	if (type == FACT_IS_VERDICT ||
	    !cond_value_number(type, slice_head(text, dash), &r.low) ||
	    !cond_value_number(type, slice_from(text, dash + 1), &r.high))
		return 0;
	if (type == FACT_IS_TIME)
		return time_ranges(r.low, r.high, ranges_out);
	if (type == FACT_IS_WEEKDAY)
		return day_ranges(r.low, r.high, ranges_out);
	ranges_out[0] = r;
	return r.low <= r.high ? 1 : 0;
}

const char *cond_value_example(enum fact_type type)
{
	/* clang-format off */
	static const char *const examples[] = {
		[FACT_IS_BOOL]     = "yes or no",
		[FACT_IS_NUMBER]   = "a number such as 5 or 2.5, or a range such as 1-5",
		[FACT_IS_SIZE]     = "a size such as 500K, 10M or 1G",
		[FACT_IS_DURATION] = "a duration such as 30s, 5m, 2h or 1d",
		[FACT_IS_TIME]     = "a time such as 08:00, or a range such as 22:00-06:00",
		[FACT_IS_WEEKDAY]  = "a weekday such as mon, or a range such as mon-fri",
		[FACT_IS_TEXT]     = "text such as \"some words\", or a number",
		[FACT_IS_WORD]     = "a word",
		[FACT_IS_DOMAIN]   = "a name such as mx.example.org",
		[FACT_IS_MAILBOX]  = "an address such as user@example.org",
		[FACT_IS_ADDRESS]  = "an address or network such as 192.0.2.0/24",
		[FACT_IS_VERDICT]  = "continue, accept, reject, tempfail, discard, failed, skipped or none",
	};
	/* clang-format on */

	return examples[type];
}
