#include "apps/common/text.h"

#include <limits>

#include "tests/support/catch.h"

using namespace ditto::apps;

TEST_CASE("edit distance counts insertions, deletions, substitutions and swaps", "[apps]") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("batch", "batch") == 0);
  CHECK(edit_distance("bacth", "batch") == 1);  // a swap of neighbours is one error
  CHECK(edit_distance("bach", "batch") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("sitting", "kitten") == 3);
}

TEST_CASE("nearest_name suggests what is near and nothing else", "[apps]") {
  const std::vector<std::string> names = {"batch", "epochs", "lr", "data-root", "mask.rho"};
  CHECK(nearest_name("bacth", names) == "batch");
  CHECK(nearest_name("data_root", names) == "data-root");
  CHECK(nearest_name("epoch", names) == "epochs");
  CHECK(nearest_name("rl", names) == "lr");
  CHECK(nearest_name("rho", names) == "mask.rho");
  CHECK(nearest_name("training.batch", names) == "batch");
  CHECK(nearest_name("xy", names) == "");
  CHECK(nearest_name("", names) == "");
  CHECK(nearest_name(std::string(100000, 'b'), names) == "");
  CHECK(did_you_mean("bacth", names, "--") == "; did you mean --batch?");
  CHECK(did_you_mean("completely-else", names) == "");
}

TEST_CASE("split and join are inverse", "[apps]") {
  CHECK(split("", ',').empty());
  CHECK(split("a", ',') == std::vector<std::string>{"a"});
  CHECK(split("a,,b,", ',') == std::vector<std::string>{"a", "", "b", ""});
  CHECK(join(split("a,,b,", ','), ",") == "a,,b,");
}

TEST_CASE("numbers for people", "[apps]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(duration_text(0) == "0 s");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(59.6) == "1:00");
  CHECK(duration_text(3599.7) == "1:00:00");
  CHECK(duration_text(3723) == "1:02:03");
  CHECK(duration_text(3 * 86400 + 4 * 3600 + 5 * 60) == "3 d 04:05");
  CHECK(duration_text(nan) == "--");
  CHECK(duration_text(inf) == "--");
  CHECK(duration_text(-1) == "--");
  CHECK(count_text(0) == "0");
  CHECK(count_text(999) == "999");
  CHECK(count_text(1000) == "1,000");
  CHECK(count_text(-1234567.4) == "-1,234,567");
  CHECK(count_text(nan) == "--");
  CHECK(count_text(1e300) == "--");
  CHECK(bytes_text(412'000'000) == "412 MB");
  CHECK(bytes_text(1'340'000'000) == "1.3 GB");
  CHECK(bytes_text(999'900'000) == "1.0 GB");
  CHECK(percent_text(0.93214) == "93.21 %");
  CHECK(percent_text(nan) == "--");
  CHECK(number_text(0.000123456) == "0.0001235");
}

TEST_CASE("UTF-8 is checked by the rules of RFC 3629", "[apps]") {
  CHECK(is_utf8("plain, ü, €, 𝛙"));
  CHECK_FALSE(is_utf8("\xFF"));
  CHECK_FALSE(is_utf8("caf\xE9"));           // Latin-1
  CHECK_FALSE(is_utf8("\xC0\xAF"));          // overlong
  CHECK_FALSE(is_utf8("\xE0\x80\xAF"));      // overlong
  CHECK_FALSE(is_utf8("\xED\xA0\x80"));      // surrogate
  CHECK_FALSE(is_utf8("\xF4\x90\x80\x80"));  // beyond U+10FFFF
  CHECK_FALSE(is_utf8("\xE2\x82"));          // cut off
  CHECK(display_width("T(CCE) ρ=1 €") == 12);
  CHECK(shorten("ρρρρ", 4) == "ρρρρ");
  CHECK(shorten("ρρρρρ", 4) == "ρρρ…");
  CHECK(shorten("abc", 0) == "");
}

TEST_CASE("markup is escaped, and what XML cannot hold is replaced", "[apps]") {
  CHECK(escape_markup("<a href=\"x\">&'") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  CHECK(escape_markup("tab\tline\n") == "tab\tline\n");
  CHECK(escape_markup(std::string_view("a\0b\x1b", 4)) ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
  CHECK(escape_markup("caf\xE9!") == "caf\xEF\xBF\xBD!");
  CHECK(escape_markup("ψ") == "ψ");
}
