/* SPDX-License-Identifier: Apache-2.0 */
/* A checked replay: requests and entries are made again, with no HTTP client and no secret to make them with. */
#include "step_test.h"

static struct {
	unsigned requests, entries, same, secrets;
	bool refuses;
} told;

static bool on_effect(void *arg, const struct plan_step *s, const struct item *it, enum ledger_kind kind,
		      struct str text)
{
	told.requests += kind == LEDGER_INTENT;
	told.entries += kind == LEDGER_ENTRY;
	told.secrets += str_find(text, STR("hush-hush")) >= 0 || str_find(text, STR("stand-in")) >= 0;
	for (const struct ledger_row *row = it->recorded; row && row->kind; row++)
		told.same += row->kind == LEDGER_INTENT && kind == LEDGER_INTENT && row->key.step == s->index &&
			     str_eq(row->head, text);
	return !told.refuses;
}

static void checked(struct world *w, uint64_t to)
{
	struct run_row row = row_on_disk(w);
	struct step_services alone = { .scripts = services.scripts, .secrets = secrets_new_stand_ins() };
	memset(&told, 0, offsetof(__typeof__(told), refuses));
	assert_non_null(alone.secrets);
	world_run(w,
		  (struct run_config){
		      .resume = &row, .is_replay = true, .replay_to = to, .services = &alone, .on_effect = on_effect });
	world_settle(w);
	secrets_free(alone.secrets);
}

TEST(each_request_is_made_again_byte_for_byte_and_none_is_sent)
{
	static const char *const flows[] = { CALL("", "GET", "/get") SAVE, CALL("", "POST", "/keyed") SAVE,
					     CALL("", "POST", "/plain") SAVE };
	for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
		struct world w;
		world_init(&w, false);
		peer_open(&w);
		step_plan_of(&w, flows[i]);
		step_run_n(&w, 40, 16);
		char *outputs = strndup(w.outputs.ptr, w.outputs.len), *ledger = ledger_text(&w);
		int requests = peer.requests;
		told.refuses = false;
		checked(&w, 39);
		assert_int_equal(told.requests, 40);
		assert_int_equal(told.same, 40);
		assert_int_equal(told.entries, 40);
		assert_int_equal(told.secrets, 0);
		assert_int_equal(peer.requests, requests);
		assert_string_equal(w.outputs.ptr, outputs);
		char *now = ledger_text(&w);
		assert_string_equal(now, ledger);
		free(now);
		free(outputs);
		free(ledger);
		peer_close();
		world_done(&w);
	}
}

TEST(a_request_that_is_not_known_ends_its_item)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	step_plan_of(&w, CALL("", "GET", "/get") SAVE);
	step_run_n(&w, 3, 16);
	told.refuses = true;
	checked(&w, 2);
	assert_int_equal(w.n_outputs, 0);
	assert_int_equal(told.requests, 3);
	assert_int_equal(told.entries, 0);
	assert_non_null(strstr(w.problems.ptr, "would_be_sent"));
	peer_close();
	world_done(&w);
}

RUN_TESTS(CLAIM(each_request_is_made_again_byte_for_byte_and_none_is_sent),
	  CLAIM(a_request_that_is_not_known_ends_its_item))
