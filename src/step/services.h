/* SPDX-License-Identifier: Apache-2.0 */
/* What the step kinds need from the process; one per process, handed to runs as their `services`. */
#pragma once
#include "call/call.h"
#include "script/script.h"

struct step_services {
	struct script_pool *scripts;
	struct http_client *http;
	struct secrets *secrets;
};
