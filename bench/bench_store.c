/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a ledger row costs: CPU of the whole process (queue, thread, SQLite, completion) by rows in flight, and bytes on
 * disk.
 *
 *   bench_store [DIRECTORY] [ROWS] [BODY_BYTES]
 *
 * Each line keeps a number of rows in flight: they are queued together and the next ones follow when all have called
 * back.
 */
#include "store/store.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct bench {
	struct loop *loop;
	struct store *store;
	uint64_t seq, rows;
	unsigned in_flight, owed;
	struct str head, body;
};

static double cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void put_more(struct bench *b);

static void on_put(void *arg, const struct store_result *r)
{
	struct bench *b = arg;

	if (r->error) {
		(void)fprintf(stderr, "put: %s\n", r->detail);
		exit(1);
	}
	if (--b->owed == 0)
		put_more(b);
}

static void put_more(struct bench *b)
{
	if (b->seq >= b->rows) {
		loop_stop(b->loop);
		return;
	}
	for (unsigned i = 0; i < b->in_flight; i++) {
		struct ledger_row row = {
			.key = { .run = 1, .seq = b->seq / 2, .step = 2, .attempt = 1 },
			.kind = b->seq % 2 ? LEDGER_OUTCOME : LEDGER_INTENT,
			.at = 1763900000000,
			.code = 200,
			.head = b->head,
			.body = b->body,
		};
		b->seq++;
		b->owed++;
		if (store_ledger_put(b->store, &row, on_put, b, NULL))
			exit(1);
	}
}

static int measure(const char *dir, unsigned in_flight, uint64_t rows, size_t body_bytes)
{
	struct bench b = { .in_flight = in_flight, .rows = rows, .head = STR("{\"elapsed_ms\":12}") };
	char *body = malloc(body_bytes + 1), path[200], command[300];
	struct err e = ERR_INIT;

	memset(body, 'x', body_bytes);
	b.body = str_from(body, body_bytes);
	(void)snprintf(path, sizeof(path), "%s/weir-bench-store", dir);
	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	b.loop = loop_new(&e);
	if (system(command) || !b.loop || store_open(&b.store, b.loop, &(struct store_config){ .dir = path }, &e)) {
		(void)fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	double cpu = cpu_us();
	uint64_t begin = clock_mono_ns();
	put_more(&b);
	(void)loop_run(b.loop);
	double seconds = (double)(clock_mono_ns() - begin) / 1e9;
	cpu = cpu_us() - cpu;
	store_close(b.store);
	int code = store_open(&b.store, b.loop, &(struct store_config){ .dir = path }, &e);
	uint64_t bytes = code ? 0 : store_disk_bytes(b.store);
	if (code == 0)
		store_close(b.store);
	loop_free(b.loop);
	free(body);
	(void)printf("%10u %12.0f %12.2f %12.0f\n", in_flight, (double)b.seq / seconds, cpu / (double)b.seq,
		     (double)bytes / (double)b.seq);
	return system(command);
}

int main(int argc, char **argv)
{
	static const unsigned in_flight[] = { 1, 8, 64, 256, 1024, 4096 };
	const char *dir = argc > 1 ? argv[1] : "/tmp";
	uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 400000;
	size_t body = argc > 3 ? strtoull(argv[3], NULL, 10) : 500;

	log_setup(LOG_WARN, LOG_AUTO);
	(void)printf("%zu B bodies\n%10s %12s %12s %12s\n", body, "in flight", "rows/s", "CPU us/row", "bytes/row");
	for (size_t i = 0; i < ARRAY_LEN(in_flight); i++) {
		uint64_t n = in_flight[i] == 1 ? rows / 40 : in_flight[i] == 8 ? rows / 8 : rows;
		if (measure(dir, in_flight[i], n, body))
			return 1;
	}
	return 0;
}
