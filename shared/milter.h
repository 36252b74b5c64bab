/*
 * milter - letters, bits, stages and limits of the milter protocol
 *
 * The names are those of Sendmail's and libmilter's headers, the values are
 * the wire's.  There is no RFC: the two MTAs and libmilter are the standard.
 */
#ifndef SHARED_MILTER_H
#define SHARED_MILTER_H

#include <stdint.h>

#define MILTER_VERSION	   6
/* Largest payload (behind the command byte) we ever write. */
#define MILTER_PAYLOAD_MAX 65535
/* Largest length word taken from an MTA: command byte and payload. */
#define MILTER_MTA_LENGTH_MAX (MILTER_PAYLOAD_MAX + 1)
/* The same from a child: one with the 1 MiB data size may send more. */
#define MILTER_CHILD_LENGTH_MAX (1024 * 1024 + 1)

/* Commands, MTA to milter. */
#define SMFIC_ABORT   'A'
#define SMFIC_BODY    'B'
#define SMFIC_CONNECT 'C'
#define SMFIC_MACRO   'D'
#define SMFIC_BODYEOB 'E'
#define SMFIC_HELO    'H'
#define SMFIC_QUIT_NC 'K'
#define SMFIC_HEADER  'L'
#define SMFIC_MAIL    'M'
#define SMFIC_EOH     'N'
#define SMFIC_OPTNEG  'O'
#define SMFIC_QUIT    'Q'
#define SMFIC_RCPT    'R'
#define SMFIC_DATA    'T'
#define SMFIC_UNKNOWN 'U'

/* Answers, milter to MTA. */
#define SMFIR_ADDRCPT	  '+'
#define SMFIR_DELRCPT	  '-'
#define SMFIR_ADDRCPT_PAR '2'
#define SMFIR_SHUTDOWN	  '4'
#define SMFIR_ACCEPT	  'a'
#define SMFIR_REPLBODY	  'b'
#define SMFIR_CONTINUE	  'c'
#define SMFIR_DISCARD	  'd'
#define SMFIR_CHGFROM	  'e'
#define SMFIR_CONN_FAIL	  'f'
#define SMFIR_ADDHEADER	  'h'
#define SMFIR_INSHEADER	  'i'
#define SMFIR_CHGHEADER	  'm'
#define SMFIR_PROGRESS	  'p'
#define SMFIR_QUARANTINE  'q'
#define SMFIR_REJECT	  'r'
#define SMFIR_SKIP	  's'
#define SMFIR_TEMPFAIL	  't'
#define SMFIR_REPLYCODE	  'y'

/* Actions: what a milter may change.  Second word of OPTNEG. */
#define SMFIF_ADDHDRS	  0x001u
#define SMFIF_CHGBODY	  0x002u
#define SMFIF_ADDRCPT	  0x004u
#define SMFIF_DELRCPT	  0x008u
#define SMFIF_CHGHDRS	  0x010u
#define SMFIF_QUARANTINE  0x020u
#define SMFIF_CHGFROM	  0x040u
#define SMFIF_ADDRCPT_PAR 0x080u
#define SMFIF_SETSYMLIST  0x100u
#define SMFIF_ALL	  0x1ffu

/* Protocol: what need not be sent, or answered.  Third word of OPTNEG. */
#define SMFIP_NOCONNECT	  0x000001u
#define SMFIP_NOHELO	  0x000002u
#define SMFIP_NOMAIL	  0x000004u
#define SMFIP_NORCPT	  0x000008u
#define SMFIP_NOBODY	  0x000010u
#define SMFIP_NOHDRS	  0x000020u
#define SMFIP_NOEOH	  0x000040u
#define SMFIP_NR_HDR	  0x000080u
#define SMFIP_NOUNKNOWN	  0x000100u
#define SMFIP_NODATA	  0x000200u
#define SMFIP_SKIP	  0x000400u
#define SMFIP_RCPT_REJ	  0x000800u
#define SMFIP_NR_CONN	  0x001000u
#define SMFIP_NR_HELO	  0x002000u
#define SMFIP_NR_MAIL	  0x004000u
#define SMFIP_NR_RCPT	  0x008000u
#define SMFIP_NR_DATA	  0x010000u
#define SMFIP_NR_UNKN	  0x020000u
#define SMFIP_NR_EOH	  0x040000u
#define SMFIP_NR_BODY	  0x080000u
#define SMFIP_HDR_LEADSPC 0x100000u
#define SMFIP_MDS_256K	  0x10000000u
#define SMFIP_MDS_1M	  0x20000000u

#define SMFIP_NO_ALL                                                       \
	(SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT |    \
	 SMFIP_NOBODY | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOUNKNOWN |     \
	 SMFIP_NODATA)
#define SMFIP_NR_ALL                                                       \
	(SMFIP_NR_HDR | SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL |    \
	 SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_UNKN | SMFIP_NR_EOH |    \
	 SMFIP_NR_BODY)

/* Macro lists inside an OPTNEG answer; 5 and 6 are in historical order. */
enum milter_list {
	LIST_CONNECT = 0,
	LIST_HELO,
	LIST_MAIL,
	LIST_RCPT,
	LIST_DATA,
	LIST_EOM,
	LIST_EOH,
	LIST_COUNT
};

/* Where a session stands, in the order in which it passes through. */
enum stage {
	STAGE_CONNECT,
	STAGE_HELO,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_HEADER,
	STAGE_EOH,
	STAGE_BODY,
	STAGE_EOM,
	STAGE_UNKNOWN, /* an SMTP command the MTA does not know */
	STAGE_COUNT
};

/* The MTA in front, as far as its rules differ. */
enum mta { MTA_SENDMAIL, MTA_POSTFIX };

/* "connect", "helo", ... "eom", "unknown"; for logs and settings. */
const char *milter_stage_name(enum stage stage);
/* The NO* and NR_* bit of a stage; 0 where there is none (EOM). */
uint32_t milter_stage_no_bit(enum stage stage);
uint32_t milter_stage_nr_bit(enum stage stage);
/* Which macro list belongs to a stage; LIST_COUNT where there is none. */
enum milter_list milter_stage_list(enum stage stage);
/* The command letter of a stage ('C', 'H', ... 'E', 'U'). */
char milter_stage_letter(enum stage stage);

#endif
