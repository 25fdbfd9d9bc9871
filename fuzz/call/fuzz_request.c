/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Systems and mapped values out of any hand: what is built is one URL below the base, clean headers, and a shadow
 * without the secret. Input: a byte of choices, a line that is the query path, a line that is the system (or, unread, a
 * usual one), then the mapped values as JSON.
 */
#include "base/json.h"
#include "call/call.h"
#include "http/url.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define CANARY "s3cr3t-CANARY"

static const char *const auths[] = {
	"{\"kind\":\"none\"}", "{\"kind\":\"basic\",\"username\":\"u\",\"password\":{\"secret\":\"FUZZ\"}}",
	"{\"kind\":\"bearer\",\"token\":{\"secret\":\"FUZZ\"}}",
	"{\"kind\":\"api_key\",\"name\":\"key\",\"in\":\"query\",\"value\":{\"secret\":\"FUZZ\"}}"
};

static void usual_system(struct arena *a, unsigned choice, struct value *ret)
{
	const char *text = arena_printf(a,
					"{\"base_url\":\"https://h/"
					"v1?b=1\",\"auth\":%s,\"connectors\":{\"c\":{\"operations\":[{\"method_name\":"
					"\"%s\",\"query_path\":\"/{id}\","
					"\"request_body\":{\"content_type\":\"%s\"},\"parameters\":[{\"name\":\"id\","
					"\"in\":\"path\"},{\"name\":\"q\",\"in\":\"query\",\"explode\":"
					"false},{\"name\":\"d\",\"in\":\"query\",\"style\":\"deepObject\"},{\"name\":"
					"\"r\",\"in\":\"query\",\"allowReserved\":true},{\"name\":\"H\","
					"\"in\":\"header\"},{\"name\":\"k\",\"in\":\"cookie\"}]}]}}}",
					auths[choice >> 6], call_method_name(choice % CALL_METHOD_COUNT),
					choice & 32 ? "application/x-www-form-urlencoded" : "application/json");
	if (json_parse(a, str_c(text), NULL, ret, NULL, NULL) < 0)
		abort();
}

static void check_request(struct arena *a, const struct call_request *r, bool has_secret)
{
	struct url u;
	struct value shown;
	if (url_parse(r->url, &u, NULL) < 0 || u.fragment.ptr)
		abort();
	for (struct str path = u.path; path.ptr;) {
		struct str segment = str_split(&path, '/');
		if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
			abort();
	}
	for (size_t i = 0; i < r->headers.n; i++)
		if (!header_is_token(r->headers.items[i].name) || !header_value_is_clean(r->headers.items[i].value))
			abort();
	if (json_parse(a, r->masked, NULL, &shown, NULL, NULL) < 0 ||
	    (has_secret && str_find(r->masked, STR(CANARY)) >= 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	auto_arena struct arena a = { 0 };
	struct value system, parameters;
	struct call_request request;
	if (n < 2)
		return 0;
	(void)setenv("WEIR_SECRET_FUZZ", CANARY, 1);
	arena_init(&a, 0);
	struct str rest = str_from((const char *)bytes + 1, n - 1), path = str_split(&rest, '\n'),
		   text = str_split(&rest, '\n');
	if (json_parse(&a, text, NULL, &system, NULL, NULL) < 0)
		usual_system(&a, bytes[0], &system);
	if (json_parse(&a, rest, NULL, &parameters, NULL, NULL) < 0)
		return 0;
	(void)call_system_check(&system, STR_NULL, NULL, NULL);
	struct secrets *secrets = secrets_new(NULL, NULL);
	const struct call_spec *s = call_spec_new(&a, &system, STR("s"), STR("c"), path.len ? path : STR("/{id}"),
						  bytes[0] % CALL_METHOD_COUNT, STR_NULL, NULL, NULL);
	if (s)
		(void)call_spec_check_mapping(s, &parameters, NULL, NULL);
	if (s && call_request_build(s, secrets, &parameters, STR("0a1b"), &a, &request, NULL) == 0)
		check_request(&a, &request, call_spec_next_secret(s, &(size_t){ 0 }, &path));
	secrets_free(secrets);
	return 0;
}
