/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is weir.db-wal the log that belongs to this database, whole and sound? SQLite takes a log that is cut, or damaged
 *anywhere, for one whose end was never written, and a whole log of another database for this one's: either way answers
 *that somebody was told are gone without a word, and calls are made again. But the index of the log, weir.db-shm, is
 *left behind by a process that was killed, and knows better (sqlite.org/walformat.html, 2.1 and 4):
 *
 *	weir.db-shm   | .. | init | page size | frames | .. | salts |  the same again      host's byte order, salts as
 *in the log weir.db-wal   | magic | version | page size | number | salts | sums |  frames of 24 bytes and a page
 *big-endian
 *
 * The index is written after the fsync of what it counts, so it never counts more than the log holds, after a loss of
 *power least of all: then it may be older. The first salt is counted up each time the log begins anew; a log that is a
 *little ahead of its index is thus the right one.
 */
#include "store/sqlite_int.h"
#include "base/alloc.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_VERSION 3007000u
#define LOG_HEADER 32
#define FRAME_HEADER 24
#define RESTARTS_MAX (1u << 24) /* by which a log may be ahead of an index that a loss of power left old */

struct index_header { /* as SQLite lays it out; 48 bytes */
	uint32_t version, unused, change;
	uint8_t is_init, big_endian_sums;
	uint16_t page_size; /* 1 = 65536 */
	uint32_t frames, pages, frame_sums[2];
	uint8_t salts[8];
	uint32_t sums[2];
};
_Static_assert(sizeof(struct index_header) == 48, "the index begins with 48 bytes, twice");

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int open_beside(const char *database, const char *suffix)
{
	char path[4200];

	if ((size_t)snprintf(path, sizeof(path), "%s%s", database, suffix) >= sizeof(path))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* False: there is none, or nothing can be learnt from it. */
static bool read_index(const char *database, struct index_header *ret)
{
	struct index_header index[2];
	int fd = open_beside(database, "-shm");

	if (fd < 0)
		return false;
	bool is_there = pread(fd, index, sizeof(index), 0) == (ssize_t)sizeof(index);
	(void)close(fd); /* no lock of SQLite's goes with it: nobody has the database open yet */
	*ret = index[0];
	return is_there && memcmp(&index[0], &index[1], sizeof(index[0])) == 0 && index->version == INDEX_VERSION &&
	       index->is_init && index->frames > 0;
}

/* The running sums of walformat.html 4.2, over words in the order that the log's magic names. */
static void add_sums(uint32_t sums[2], const uint8_t *p, size_t n, bool is_big_endian)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint32_t x[2];
		memcpy(x, p + i, sizeof(x));
		sums[0] += (is_big_endian ? be32toh(x[0]) : le32toh(x[0])) + sums[1];
		sums[1] += (is_big_endian ? be32toh(x[1]) : le32toh(x[1])) + sums[0];
	}
}

static bool are_frames_sound(int fd, const uint8_t head[static LOG_HEADER], uint32_t frames, size_t page)
{
	bool is_big_endian = head[3] & 1;
	uint32_t sums[2] = { 0, 0 };
	uint8_t *frame = alloc_malloc(FRAME_HEADER + page);
	bool is_sound = frame != NULL;

	add_sums(sums, head, 24, is_big_endian);
	is_sound = is_sound && be32(head + 24) == sums[0] && be32(head + 28) == sums[1];
	for (uint32_t i = 0; i < frames && is_sound; i++) {
		off_t at = LOG_HEADER + (off_t)i * (off_t)(FRAME_HEADER + page);
		is_sound = pread(fd, frame, FRAME_HEADER + page, at) == (ssize_t)(FRAME_HEADER + page);
		if (!is_sound)
			break;
		add_sums(sums, frame, 8, is_big_endian);
		add_sums(sums, frame + FRAME_HEADER, page, is_big_endian);
		is_sound =
		    memcmp(frame + 8, head + 16, 8) == 0 && be32(frame + 16) == sums[0] && be32(frame + 20) == sums[1];
	}
	free(frame);
	return is_sound;
}

static const char *compare(int fd, const struct index_header *index)
{
	uint8_t head[LOG_HEADER];
	struct stat st;
	size_t page = index->page_size == 1 ? 65536 : index->page_size;

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) || fstat(fd, &st))
		return NULL; /* emptied when it was last moved into the database; or not begun */
	uint32_t ahead = be32(head + 16) - be32(index->salts);
	if (ahead > RESTARTS_MAX)
		return "its log, weir.db-wal, is that of another database";
	if (ahead > 0)
		return NULL;
	if (st.st_size < LOG_HEADER + (off_t)index->frames * (off_t)(FRAME_HEADER + page))
		return "the end of its log, weir.db-wal, is cut off";
	return are_frames_sound(fd, head, index->frames, page) ? NULL : "its log, weir.db-wal, has wrong bytes in it";
}

const char *sqlite_log_trouble(const char *database)
{
	struct index_header index;
	int fd = read_index(database, &index) ? open_beside(database, "-wal") : -1;

	if (fd < 0)
		return NULL; /* nothing is known */
	const char *trouble = compare(fd, &index);
	(void)close(fd);
	return trouble;
}
