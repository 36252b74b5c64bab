/*
 * mime_text - what a reader of the message would see, for comparison
 *
 * Headers: unfolded, encoded words (RFC 2047) decoded to UTF-8.  Bodies: the
 * text parts, base64 and quoted-printable undone, charsets turned into UTF-8.
 * For looking only, nothing is ever sent on.  Mail is hostile: whatever cannot
 * be decoded stands as it came, the work is linear in the input, and depth
 * and number of parts are bounded.
 * Fails by false: no memory; the text is then empty.
 */
#ifndef SHARED_MIME_TEXT_H
#define SHARED_MIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/arena.h"
#include "shared/slice.h"

#define MIME_DEPTH_MAX 16
#define MIME_PARTS_MAX 256

/*
 * A header's value: line ends with the white space behind them become one
 * blank, outer blanks go, encoded words are decoded, at most max bytes are
 * given.  When there is nothing to do, text_out looks into value.
 */
bool mime_header_text(struct arena *arena, struct slice value, size_t max,
		      struct slice *text_out);
/*
 * The text of a body that begins with these bytes, at most max bytes.
 * content_type and encoding are the values of the message's headers, empty
 * when it has none.  Attachments that are not text/ are left out; parts of a
 * multipart follow each other with a line end between them.
 */
bool mime_body_text(struct arena *arena, struct slice content_type,
		    struct slice encoding, struct slice body, size_t max,
		    struct slice *text_out);

#endif
