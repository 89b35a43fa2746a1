#include "core/error.h"

#include <limits>

#include "core/dtype.h"
#include "core/shape.h"
#include "tests/support/catch.h"

namespace ditto {
using testing::contains;

namespace {
std::string message_of(auto&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
}  // namespace

TEST_CASE("an error reads: message, values, folder/file and line") {
  const int line = __LINE__ + 1;
  const std::string message = message_of([] { check(false, "[op] wrong:", 3, Shape{2, 4}); });
  REQUIRE(message == "[op] wrong: 3 (2, 4) (core/error_test.cpp:" + std::to_string(line) + ")");
}

TEST_CASE("a check that holds does nothing") {
  REQUIRE(message_of([] { check(true, "[op] wrong:", 3); }).empty());
}

TEST_CASE("fail takes built text and throws always") {
  REQUIRE_THROWS_AS(fail("[op] no"), Error);
  REQUIRE_THROWS_WITH(fail(std::string("[") + "conv" + "] no", Dtype::BF16),
                      contains("[conv] no bf16 (core/error_test.cpp:"));
  REQUIRE_THROWS_AS(fail("x"), std::runtime_error);
}

TEST_CASE("values of every kind have a text") {
  REQUIRE(error_text(-5) == "-5");
  REQUIRE(error_text(size_t{7}) == "7");
  REQUIRE(error_text(true) == "true");
  REQUIRE(error_text(false) == "false");
  REQUIRE(error_text("literal") == "literal");
  REQUIRE(error_text(std::string("text")) == "text");
  REQUIRE(error_text(std::string_view("view")) == "view");
  REQUIRE(error_text(Shape{1}) == "(1)");
  REQUIRE(error_text(Dtype::Bool) == "bool");
  // Shortest text that reads back as the same number, and no trailing zeros.
  REQUIRE(error_text(0.1) == "0.1");
  REQUIRE(error_text(1e-300) == "1e-300");
  REQUIRE(error_text(2.5f) == "2.5");
  REQUIRE(error_text(std::numeric_limits<double>::quiet_NaN()) == "nan");
  REQUIRE(error_text(-std::numeric_limits<double>::infinity()) == "-inf");
}

TEST_CASE("foreign text is printed without control characters and not endlessly") {
  REQUIRE(printable("layer1.0.conv1 weight~") == "layer1.0.conv1 weight~");
  REQUIRE(printable("\x1b[2J\n\t\x7f") == R"(\x1b[2J\x0a\x09\x7f)");
  REQUIRE(printable(std::string_view("a\0b", 3)) == R"(a\x00b)");
  REQUIRE(printable("\xc3\xa9") == R"(\xc3\xa9)");
  REQUIRE(printable(std::string(200, 'x')) == std::string(200, 'x'));
  REQUIRE(printable(std::string(201, 'x')) == std::string(200, 'x') + "...");
}

}  // namespace ditto
