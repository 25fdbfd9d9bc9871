/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xml_text.h"
#include "test.h"

static void check(const char *text, bool in_attribute, const char *expected)
{
	struct buf b;
	buf_init(&b, 1024);
	xml_append(&b, str_c(text), in_attribute);
	assert_str(buf_str(&b), expected);
	buf_done(&b);
}

TEST(markup_is_escaped_and_what_a_reader_would_change_goes_as_a_reference)
{
	check("a<b>&\"c'\t\n\r", false, "a&lt;b&gt;&amp;\"c'\t\n&#13;");
	check("a<b>&\"c'\t\n\r", true, "a&lt;b&gt;&amp;&#34;c&#39;&#9;&#10;&#13;");
	check("", true, "");
	check("caf\xc3\xa9", true, "caf\xc3\xa9");
}

TEST(what_xml_has_no_place_for_is_found_where_it_is)
{
	assert_int_equal(xml_bad_char(str_c("a\t\n\rb")), 5);
	assert_int_equal(xml_bad_char(str_c("ab\x01")), 2);
	assert_int_equal(xml_bad_char(str_from("\0", 1)), 0);
	assert_int_equal(xml_bad_char(str_c("a\xef\xbf\xbe")), 1);
	assert_int_equal(xml_bad_char(str_c("a\xef\xbf\xbf")), 1);
	assert_int_equal(xml_bad_char(str_c("a\xef\xbf\xbd")), 4); /* U+FFFD may */
}

RUN_TESTS(CLAIM(markup_is_escaped_and_what_a_reader_would_change_goes_as_a_reference),
	  CLAIM(what_xml_has_no_place_for_is_found_where_it_is))
