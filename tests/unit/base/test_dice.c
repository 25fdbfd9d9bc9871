/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dice.h"
#include "test.h"

static uint64_t next;

static uint64_t count(void)
{
	return next++;
}

TEST(the_systems_dice_do_not_repeat_themselves)
{
	uint64_t a = dice(), b = dice(), c = dice();
	assert_true(a != b && b != c && a != c);
}

TEST(both_ends_of_a_range_come_up_and_nothing_beyond)
{
	unsigned seen[4] = { 0 };
	for (int i = 0; i < 1000; i++) {
		uint64_t n = dice_up_to(3);
		assert_true(n <= 3);
		seen[n]++;
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
	assert_int_equal(dice_up_to(0), 0);
}

TEST(loaded_dice_say_what_they_are_told)
{
	next = UINT64_MAX;
	dice_fake(count);
	assert_true(dice_up_to(UINT64_MAX) == UINT64_MAX);
	assert_true(dice() == 0);
	assert_true(dice_up_to(9) == 1);
	dice_fake(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(the_systems_dice_do_not_repeat_themselves),
		CLAIM(both_ends_of_a_range_come_up_and_nothing_beyond),
		CLAIM(loaded_dice_say_what_they_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
