#include "apps/common/json.h"

#include <cmath>
#include <limits>

#include "apps/common/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto::apps;
using ditto::testing::contains;
using ditto::testing::TempDir;

TEST_CASE("json keeps the order of keys", "[apps]") {
  const Json json = parse_json(R"({"z": 1, "a": [1, 2.5], "m": {"x": null}})", "t");
  CHECK(json_line(json) == R"({"z":1,"a":[1,2.5],"m":{"x":null}})");
}

TEST_CASE("json errors name file, line and column", "[apps]") {
  CHECK_THROWS_WITH(parse_json("{\n  \"a\": 1,\n  \"b\" 2\n}", "c.json"),
                    contains("c.json:3:7: ") && contains("expected ':'"));
  CHECK_THROWS_WITH(parse_json("", "c.json"), contains("c.json:1:1: "));
  CHECK_THROWS_WITH(parse_json("{\"a\": 1} x", "c.json"), contains("c.json:1:10: "));
  CHECK_THROWS_WITH(parse_json("{\"a\": NaN}", "c.json"), contains("c.json:1:7: "));
  CHECK_THROWS_WITH(parse_json("{\"a\": 1e999}", "c.json"), contains("c.json: number overflow"));
  CHECK_THROWS_AS(parse_json("\"caf\xE9\"", "c.json"), ditto::Error);
  CHECK_THROWS_AS(parse_json(std::string(1000, '['), "c.json"), ditto::Error);
  CHECK_THROWS_WITH(parse_json(std::string(1000, '[') + std::string(1000, ']'), "c.json"),
                    contains("nested deeper than 64"));
}

TEST_CASE("json refuses a key that occurs twice in one object", "[apps]") {
  CHECK_THROWS_WITH(parse_json(R"({"a": 1, "b": 2, "a": 3})", "c.json"),
                    contains("c.json: the key \"a\" occurs twice"));
  CHECK_THROWS_WITH(parse_json(R"({"o": [{"k": 1, "k": 2}]})", "c.json"), contains("\"k\""));
  CHECK_NOTHROW(parse_json(R"({"a": {"k": 1}, "b": {"k": 1}, "k": [{"k": 1}, {"k": 2}]})", "c"));
}

TEST_CASE("numbers that JSON cannot write survive as strings", "[apps]") {
  const double inf = std::numeric_limits<double>::infinity();
  const Json json = {{"a", std::nan("")}, {"b", {inf, -inf, 0.1}}};
  const std::string line = json_line(json);
  CHECK(line == R"({"a":"NaN","b":["Infinity","-Infinity",0.1]})");
  const Json back = parse_json(line, "t");
  double value = 0;
  REQUIRE(decode_number(back["a"], value));
  CHECK(std::isnan(value));
  REQUIRE(decode_number(back["b"][0], value));
  CHECK(value == inf);
  REQUIRE(decode_number(back["b"][1], value));
  CHECK(value == -inf);
  REQUIRE(decode_number(back["b"][2], value));
  CHECK(value == 0.1);
  CHECK_FALSE(decode_number(Json("nan"), value));
  CHECK_FALSE(decode_number(Json(nullptr), value));
}

TEST_CASE("json_line never throws on bytes that are not UTF-8", "[apps]") {
  CHECK(json_line(Json("caf\xE9")) == "\"caf\xEF\xBF\xBD\"");
}

TEST_CASE("flatten joins names with dots", "[apps]") {
  const auto rows = flatten(parse_json(R"({"a": {"b": 1, "c": {"d": "x"}}, "e": [1, "y"]})", "t"));
  REQUIRE(rows.size() == 3);
  CHECK(rows[0] == std::pair<std::string, std::string>("a.b", "1"));
  CHECK(rows[1] == std::pair<std::string, std::string>("a.c.d", "x"));
  CHECK(rows[2] == std::pair<std::string, std::string>("e", "1, y"));
}

TEST_CASE("files are read whole, and only regular ones within the limit", "[apps]") {
  const TempDir dir;
  write_file(dir / "a", std::string("a\0b", 3));
  CHECK(read_file(dir / "a") == std::string("a\0b", 3));
  CHECK_THROWS_WITH(read_file(dir / "a", 2), contains("larger than the limit of 2 bytes"));
  CHECK_THROWS_WITH(read_file(dir / "none"), contains("No such file"));
  CHECK_THROWS_WITH(read_file(dir.path()), contains("not a regular file"));
}

TEST_CASE("write_file replaces a file whole and leaves nothing behind when it cannot", "[apps]") {
  const TempDir dir;
  write_file(dir / "a", "old");
  write_file(dir / "a", "new");
  CHECK(read_file(dir / "a") == "new");
  CHECK_THROWS_WITH(write_file(dir / "none" / "a", "x"), contains("No such file"));
  std::filesystem::create_directory(dir / "folder");
  CHECK_THROWS_AS(write_file(dir / "folder", "x"), ditto::Error);
  size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    (void)entry;
    ++entries;
  }
  CHECK(entries == 2);  // a and folder, no temporary file
}
