/*
 * option_words - what a milter said when it negotiated, for people
 *
 * "version 6; may add headers, quarantine; need not hear connect, helo; does
 * not answer header".  Bits without words are left out.  False: no room.
 */
#ifndef TOOL_OPTION_WORDS_H
#define TOOL_OPTION_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"

bool option_words(uint32_t version, uint32_t actions, uint32_t protocol,
		  struct buf *out) __attribute__((warn_unused_result));

#endif
