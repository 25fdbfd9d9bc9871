/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files by their content: <data>/files/ab/cdef..., where abcdef... is the SHA-256 of the bytes. What is there is whole,
 * on disk and never changes; the same bytes twice are one file. Files are written beside, under files/tmp/, and get
 * their name in the store's one ordered queue: a ledger row that was queued after file_writer_keep() is committed only
 * when the file is on disk. A store in memory keeps them in a private directory that goes with it.
 *
 * All but the renaming happens in the loop's thread; nothing of this outlives the store.
 */
#pragma once
#include "store/store.h"

#define FILE_ID_DIGITS 64		      /* hexadecimal, lower case */
#define FILE_ID_BYTES (FILE_ID_DIGITS + 1)    /* and a NUL */
#define FILE_MAX (UINT64_C(4) << 30)	      /* bytes of one file */
#define FILES_LENT_MAX 256		      /* descriptors lent at a time, by files_lend() */
#define FILES_TMP_AGE (INT64_C(86400) * 1000) /* ms; what lies half written for longer and is nobody's is swept */

struct files;
struct file_writer;

struct files *store_files(struct store *s);

bool file_id_is_valid(struct str id); /* 64 digits, nothing else: no path ever comes out of data */

/* Bytes of a file. -ERR_INVALID for what is no id, -ERR_NOT_FOUND. */
int files_size(struct files *f, struct str id, uint64_t *ret, struct err *e);
/* Open for reading with pread() or from where it stands, 0; the caller's to close. Codes as above, or an errno. */
int files_open(struct files *f, struct str id, int *ret_fd, uint64_t *ret_size, struct err *e);
/* The same, counted: -ERR_LIMIT when FILES_LENT_MAX are out, or the process has no descriptor left; come again when
 * some were given back. */
int files_lend(struct files *f, struct str id, int *ret_fd, uint64_t *ret_size, struct err *e);
void files_give_back(struct files *f, int fd);

/*
 * A new file of at most `max` bytes (0 or more than FILE_MAX = FILE_MAX). Ends with file_writer_keep() or
 * file_writer_drop(), before store_close(). NULL says why.
 */
struct file_writer *file_writer_new(struct files *f, uint64_t max, struct err *e);
/* -ERR_LIMIT beyond the maximum, -errno when the disk does not take it. */
int file_writer_append(struct file_writer *w, struct str bytes, struct err *e);
uint64_t file_writer_bytes(const struct file_writer *w);
/*
 * All bytes are there: the id is known at once, and can be opened from now on; `done` (may be NULL) is told when the
 * file is on disk under it, or that the store failed. Takes the writer, also when it returns -code.
 */
int file_writer_keep(struct file_writer *w, char ret_id[static FILE_ID_BYTES], store_done *done, void *arg,
		     struct err *e);
void file_writer_drop(struct file_writer *w); /* nothing stays; NULL is fine */
