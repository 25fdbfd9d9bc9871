/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/sample_int.h"
#include "base/json.h"
#include "test.h"

struct asked {
	struct arena arena;
	struct buf body;
	struct value root;
	int status;
};

static void ask(struct asked *q, const char *query)
{
	struct err e = ERR_INIT;
	arena_init(&q->arena, 0);
	buf_init(&q->body, SAMPLE_ANSWER_MAX);
	q->status = geocode_search(&q->arena, str_c(query), &q->body);
	if (json_parse(&q->arena, buf_str(&q->body), NULL, &q->root, NULL, &e))
		fail_msg("%s: %s", query, e.msg);
}

static void done(struct asked *q)
{
	buf_done(&q->body);
	arena_done(&q->arena);
}

static const struct value *member(const struct asked *q, size_t i, const char *name)
{
	return value_get_c(value_at(value_get_c(&q->root, "results"), i), name);
}

TEST(one_name_in_two_languages_with_and_without_marks)
{
	static const struct {
		const char *query, *name;
	} rows[] = {
		{ "name=Paris", "Paris" },
		{ "name=paris&language=fr", "Paris" },
		{ "name=Londres", "London" },
		{ "name=Londres&language=fr", "Londres" },
		{ "name=Z%C3%BCrich", "Zürich" },
		{ "name=zurich", "Zürich" },
		{ "name=ZU%CC%88RICH", "Zürich" }, /* a combining diaeresis */
		{ "name=Ath%C3%A8nes", "Athens" },
		{ "name=athenes", "Athens" },
		{ "name=K%C3%B8benhavn", "Copenhagen" },
		{ "name=sao+paulo", "São Paulo" },
		{ "name=New%20Y", "New York" },
		{ "name=st.+john%27s", "St. John's" },
		{ "name=saint-petersbourg", "Saint Petersburg" },
		{ "name=Paris,+Texas", "Paris" },
		{ "name=City+123456", "City 123456" },
		{ "name=city%201", "City 1" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asked q;
		ask(&q, rows[i].query);
		const struct value *name = member(&q, 0, "name");
		if (!name)
			fail_msg("row %zu: %s found nothing: %.*s", i, rows[i].query, STR_ARG(buf_str(&q.body)));
		assert_str(value_text(name), rows[i].name);
		done(&q);
	}
}

TEST(the_most_people_come_first_and_a_second_part_narrows)
{
	struct asked q;
	ask(&q, "name=Paris");
	assert_str(value_text(member(&q, 0, "country_code")), "FR");
	assert_str(value_text(member(&q, 1, "country_code")), "US");
	assert_str(value_text(member(&q, 0, "timezone")), "Europe/Paris");
	assert_str(value_text(member(&q, 0, "latitude")), "48.85341");
	done(&q);
	ask(&q, "name=Paris,%20Texas");
	assert_str(value_text(member(&q, 0, "admin1")), "Texas");
	assert_null(member(&q, 1, "name"));
	done(&q);
	ask(&q, "name=London&countryCode=CA");
	assert_str(value_text(member(&q, 0, "country")), "Canada");
	done(&q);
	ask(&q, "name=London&count=1");
	assert_int_equal(value_get_c(&q.root, "results")->len, 1);
	done(&q);
}

TEST(nothing_found_leaves_results_out)
{
	static const char *const queries[] = {
		"name=",
		"name=P",
		"name=Xyzzyville",
		"name=City+0",
		"name=City+01",
		"name=City+1234567890",
		"name=City+12x",
		"name=Pa",
		"name=Paris,Spain",
		"name=%F0%9F%98%80%F0%9F%98%80",
	};
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct asked q;
		ask(&q, queries[i]);
		assert_int_equal(q.status, 200);
		if (value_get_c(&q.root, "results"))
			fail_msg("%s: %.*s", queries[i], STR_ARG(buf_str(&q.body)));
		assert_non_null(value_get_c(&q.root, "generationtime_ms"));
		done(&q);
	}
}

TEST(empty_fields_are_left_out)
{
	struct asked q;
	ask(&q, "name=Singapore");
	assert_non_null(member(&q, 0, "country"));
	assert_null(member(&q, 0, "admin1"));
	done(&q);
}

TEST(wrong_questions_get_400_with_a_reason)
{
	static const char *const queries[] = { "",
					       "count=3",
					       "name=Paris&count=0",
					       "name=Paris&count=101",
					       "name=Paris&count=x",
					       "name=Paris&format=protobuf",
					       "name=%zz" };
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct asked q;
		ask(&q, queries[i]);
		assert_int_equal(q.status, 400);
		assert_true(value_is(value_get_c(&q.root, "error"), VALUE_BOOL) &&
			    value_get_c(&q.root, "error")->truth);
		assert_true(value_is(value_get_c(&q.root, "reason"), VALUE_STRING));
		done(&q);
	}
}

TEST(an_id_leads_back_to_its_place)
{
	static const char *const names[] = { "Paris", "City+99" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct asked q;
		struct value found;
		struct buf b;
		char query[60];
		(void)snprintf(query, sizeof(query), "name=%s", names[i]);
		ask(&q, query);
		struct str id = value_text(member(&q, 0, "id"));
		(void)snprintf(query, sizeof(query), "id=%.*s", STR_ARG(id));
		buf_init(&b, SAMPLE_ANSWER_MAX);
		assert_int_equal(geocode_get(&q.arena, str_c(query), &b), 200);
		assert_int_equal(json_parse(&q.arena, buf_str(&b), NULL, &found, NULL, NULL), 0);
		assert_true(value_eq(&found, value_at(value_get_c(&q.root, "results"), 0)));
		buf_done(&b);
		done(&q);
	}
	struct arena a;
	struct buf b;
	arena_init(&a, 0);
	buf_init(&b, SAMPLE_ANSWER_MAX);
	assert_int_equal(geocode_get(&a, STR("id=5"), &b), 404);
	buf_clear(&b);
	assert_int_equal(geocode_get(&a, STR("id=x"), &b), 400);
	buf_done(&b);
	arena_done(&a);
}

TEST(made_up_cities_differ_and_stay_where_they_are)
{
	char seen[50][64];
	for (int n = 0; n < 50; n++) {
		struct asked q;
		char query[40];
		(void)snprintf(query, sizeof(query), "name=City+%d", 1 + n * 20011);
		ask(&q, query);
		(void)snprintf(seen[n], sizeof(seen[n]), "%.*s %.*s", STR_ARG(value_text(member(&q, 0, "latitude"))),
			       STR_ARG(value_text(member(&q, 0, "longitude"))));
		for (int i = 0; i < n; i++)
			assert_string_not_equal(seen[i], seen[n]);
		done(&q);
	}
	struct asked q;
	ask(&q, "name=City+1");
	assert_str(value_text(member(&q, 0, "latitude")), seen[0][0] ? strtok(seen[0], " ") : "");
	done(&q);
}

RUN_TESTS(CLAIM(one_name_in_two_languages_with_and_without_marks),
	  CLAIM(the_most_people_come_first_and_a_second_part_narrows), CLAIM(nothing_found_leaves_results_out),
	  CLAIM(empty_fields_are_left_out), CLAIM(wrong_questions_get_400_with_a_reason),
	  CLAIM(an_id_leads_back_to_its_place), CLAIM(made_up_cities_differ_and_stay_where_they_are))
