/*
 * json - writes JSON into a buf, one value behind the other
 *
 * The writer knows where commas stand; the caller opens and closes objects
 * and arrays in pairs.  Text may hold anything: valid UTF-8 goes through, any
 * other byte b is written as \u00bb, so that every reader takes it.
 * Fails when the buf is full: from then on nothing is written, and json_end()
 * answers false.
 */
#ifndef SHARED_JSON_H
#define SHARED_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/slice.h"

struct json {
	struct buf *out;
	bool failed;
	bool comma; /* before what comes next */
};

struct json json_begin(struct buf *out);
/* All that was to be written has been. */
bool json_end(const struct json *j);

/* key: NULL inside an array, and for the outermost value. */
void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_text(struct json *j, const char *key, struct slice text);
void json_word(struct json *j, const char *key, const char *word);
void json_number(struct json *j, const char *key, uint64_t number);
void json_bool(struct json *j, const char *key, bool value);
/* Microseconds as seconds, with six places behind the point. */
void json_seconds(struct json *j, const char *key, uint64_t us);
void json_null(struct json *j, const char *key);

/* Text with its quotes, by itself.  False: no room. */
bool json_quote(struct buf *out, struct slice text)
	__attribute__((warn_unused_result));

#endif
