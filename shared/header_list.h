/*
 * header_list - the headers of one message with Postfix's and Sendmail's
 * edit rules
 *
 * The list is the one inside the MTA as far as we know it: besides the
 * headers that milters are shown it holds entries that are hidden from them
 * but count for INSHEADER - Postfix's own Received at the top; Sendmail's
 * Return-Path, Received and the places of its default headers
 * (milter-protocol 4.5, t/data/header-index-experiments.txt).
 *
 * Two rules of Sendmail make the list remember more than its visible state:
 * a header deleted by a filter still counts for that filter's later indexes
 * (and may be revived by a change), for later filters it does not; but since
 * the MTA sees one filter only, us, an index sent to it must count all of
 * them.  So entries deleted are kept and marked with the filter that did it.
 * Under Postfix a deleted header counts for nobody.
 * Where one filter behind another and all behind us would differ, the list is
 * what the MTA will have in the end: an ADDHEADER after an earlier filter's
 * deletion is put before the first of its name, though Sendmail alone would
 * put it into the deleted one's place.
 *
 * Memory is taken from an arena that must live as long as the list.  Names
 * and values are not copied.  Fails by NULL: no memory, nothing changed.
 * A pointer to an entry is good until the next one is added or inserted; to
 * remember one for longer, keep its id.
 */
#ifndef SHARED_HEADER_LIST_H
#define SHARED_HEADER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/milter.h"
#include "shared/slice.h"

struct header {
	struct slice name;
	struct slice value; /* folding as LF and white space, as on the wire */
	bool is_hidden;	    /* never shown to milters */
	bool is_changed;    /* value or name set by a filter since it came */
	/* 0: alive; else the ordinal of the filter that deleted it. */
	unsigned deleted_by;
	/*
	 * Who this is, the same in every copy of the list: 1, 2, ... in the
	 * order in which entries came into being; hidden entries have 0
	 * until a filter makes them visible.
	 */
	uint32_t id;
};

struct header_list {
	struct arena *arena;
	enum mta mta;
	struct header *entries;
	size_t count;
	size_t room;
	unsigned filter; /* ordinal of the filter whose turn it is: 1, 2, ... */
	uint32_t next_id;
};

/* An empty message in front of filter 1, with the MTA's hidden entries. */
bool header_list_init(struct header_list *l, struct arena *arena, enum mta mta);
/* A header of the message as it came, behind all others. */
struct header *header_list_append(struct header_list *l, struct slice name,
				  struct slice value);
/*
 * A copy that can be changed without touching the original; entries are
 * copied, names and values shared.
 */
bool header_list_copy(struct header_list *copy_out,
		      const struct header_list *from, struct arena *arena);
/* The next filter's turn begins: what was deleted counts no longer for it. */
void header_list_next_filter(struct header_list *l);

/* The entry milters see after `previous` (NULL: the first), NULL at the end. */
const struct header *header_list_next(const struct header_list *l,
				      const struct header *previous);
/* The entry with that id, deleted or not; NULL when there is none. */
struct header *header_list_by_id(struct header_list *l, uint32_t id);

/*
 * ADDHEADER by the MTA's rules; the new entry, or Sendmail's default that it
 * went into.  Sendmail ignores an empty name, here and in INSHEADER: NULL
 * without failure then.
 */
struct header *header_list_add(struct header_list *l, struct slice name,
			       struct slice value);
/* INSHEADER: position among the entries of the MTA's list; the new entry. */
struct header *header_list_insert(struct header_list *l, uint32_t index,
				  struct slice name, struct slice value);
/*
 * CHGHEADER: which entry does (name, index) mean for the filter whose turn it
 * is?  NULL: none, the MTA would add it as new.
 */
struct header *header_list_find(struct header_list *l, uint32_t index,
				struct slice name);
/*
 * CHGHEADER carried out on the entry of header_list_find(), or, with entry
 * NULL, by adding a new one.  An empty value deletes (and with entry NULL
 * does nothing, then gives NULL without failure: arena_failed() tells).
 * Returns the entry changed, deleted or added.
 */
struct header *header_list_change(struct header_list *l, struct header *entry,
				  struct slice name, struct slice value);
/*
 * The index by which the MTA, which sees all our edits as one filter's, finds
 * this entry under its name right now; call it before changing the entry.
 * With entry NULL: an index that means "one more than there are".
 */
uint32_t header_list_mta_index(const struct header_list *l,
			       const struct header *entry, struct slice name);

#endif
