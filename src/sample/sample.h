/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundled sample API: a small server that answers like Open-Meteo's geocoding (/v1/search, /v1/get) and forecast
 * (/v1/forecast), so that the weather example, the tests and a first look at Weir need no internet. Places and weather
 * are of our own making (README.md).
 */
#pragma once
#include "loop/loop.h"

struct sample_api;

/* Listens on 127.0.0.1; port 0 = any free one. Every answer waits `delay` first. */
int sample_api_open(struct sample_api **ret, struct loop *l, uint16_t port, msec_t delay, struct err *e);
uint16_t sample_api_port(const struct sample_api *a);
/* What "now" is for its weather, milliseconds since 1970; 0 = the wall clock, as at the start. */
void sample_api_set_now(struct sample_api *a, msec_t now);
void sample_api_close(struct sample_api *a); /* open exchanges are dropped */
