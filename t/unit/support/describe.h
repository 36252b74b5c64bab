/*
 * describe - commands and answers in the words of the tables in t/data
 *
 * Appends to out; the notation is explained in t/data/README.md.  Strings are
 * quoted with \r \n \t \0 \" and \\; other bytes stay.
 */
#ifndef T_UNIT_SUPPORT_DESCRIBE_H
#define T_UNIT_SUPPORT_DESCRIBE_H

#include "shared/buf.h"
#include "shared/milter_answer.h"
#include "shared/milter_command.h"

void describe_command(struct buf *out, const struct command *c);
void describe_answer(struct buf *out, const struct answer *a);

#endif
