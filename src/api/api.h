/* SPDX-License-Identifier: Apache-2.0 */
/* The REST face and the pages (docs/internals/rest.md). Until access control exists it is bound to loopback only. */
#pragma once
#include "http/server.h"
#include "run/run.h"
#include "step/steps.h"
#include "store/prune.h"

#define API_SUBMIT_WAIT_MS 30000 /* how long a form waits for its run */
#define API_WAIT_MAX_MS 60000	 /* most that `Prefer: wait=` gets */
#define API_CLIP_BYTES 65536	 /* of a body shown in an item's page */
#define API_PAGE_MAX 200		 /* rows of one page; the store is asked for one more, to know whether it is the last */
#define API_PRUNE_WAIT_MS 30000 /* how long a request waits for a round of pruning, which then goes on by itself */
#define API_PRUNE_NAMED 200	 /* runs that its answer names; it counts all */
#define API_ITEMS_MAX 10000	 /* items of one request that starts a run */

struct api;

struct api_config {
	struct loop *loop;
	struct store *store;
	struct step_services *services;
	struct flow_env env; /* its environment is that of all runs that start here */
	uint16_t port;	     /* 0 = any free */
	msec_t keep_runs;    /* what the server's own retention keeps, to be shown; 0 = all */
	struct prune *const *retention; /* where its round stands while one is under way, else NULL; NULL = there is none */
};

/* Listen, and go on with the runs that were interrupted. */
int api_open(struct api **ret, const struct api_config *config, struct err *e);
uint16_t api_port(const struct api *a);
/*
 * Take no more work; on_idle runs when no run is under way. Runs that a client waits for go on; of the others calls under way end, the rest is
 * for the next start.
 */
void api_drain(struct api *a, void (*on_idle)(void *arg), void *arg);
/* After api_drain(): nobody is waited for any more. */
void api_wind_down(struct api *a);
/* Runs under way stay on disk, to be resumed. The store and the script pool come next, before the loop turns again: what they owe to requests
 * is not wanted any more. */
void api_close(struct api *a);
