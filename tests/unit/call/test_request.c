/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: every value to its place, byte by byte. */
#include "call_test.h"

#define BASE "{'base_url':'https://api.example.com/v1','connectors':{'c':{'operations':["
#define END "]}}}"

static struct call_request built;
static struct err trouble;

static int build_with(const struct call_spec *s, struct secrets *secrets, const char *parameters, const char *key)
{
	trouble = ERR_INIT;
	return call_request_build(s, secrets, json_new(parameters), str_c(key), &arena, &built, &trouble);
}

static void build(const struct call_spec *s, const char *parameters)
{
	if (build_with(s, NULL, parameters, "") < 0)
		fail_msg("%s: %s", parameters, trouble.msg);
}

static struct str header(const char *name)
{
	return headers_get(&built.headers, str_c(name));
}

TEST(get_sends_parameters_as_query_in_mapping_order)
{
	struct call_spec *s =
	    spec_of("{'base_url':'https://api.open-meteo.com','connectors':{'c':{}}}", "GET", "/v1/forecast");
	build(s, "{'latitude':48.85,'longitude':2.35,'current':'temperature_2m'}");
	assert_str(built.url,
		   "https://api.open-meteo.com/v1/forecast?latitude=48.85&longitude=2.35&current=temperature_2m");
	assert_null(built.body.ptr);
	assert_str(header("accept"), "application/json, */*;q=0.5");
	assert_str(header("user-agent"), "weir/" WEIR_VERSION);
	assert_str(built.masked, "{\"method\":\"GET\",\"url\":\"https://api.open-meteo.com/v1/"
				 "forecast?latitude=48.85&longitude=2.35&current="
				 "temperature_2m\",\"headers\":[[\"Accept\",\"application/json, "
				 "*/*;q=0.5\"],[\"User-Agent\",\"weir/" WEIR_VERSION "\"]],\"body\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = { CALL_CLAIM(get_sends_parameters_as_query_in_mapping_order) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
