// Strict JSON for configuration and records: duplicate keys are errors, syntax errors name line and
// column, and numbers that JSON cannot write have one agreed spelling.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Compiled once, in json.cpp: every file that touches a record would compile it again.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace ditto::apps {

// Keeps the order in which keys were inserted.
using Json = nlohmann::ordered_json;

// Parses one JSON value. `source` (a file name) starts every error: "config.json:3:7: ...". Throws
// Error on malformed text, a key that occurs twice in one object, or nesting deeper than 64.
Json parse_json(std::string_view text, const std::string& source);

// parse_json of a file of at most 64 MiB.
Json read_json(const std::filesystem::path& path);

// Indented text with a final newline. Non-finite numbers are written as encode_number does, bytes
// that are not UTF-8 as U+FFFD.
std::string json_text(const Json& value);
// The same on one line, without the newline.
std::string json_line(const Json& value);

// JSON has no NaN and no infinity: they are written as the strings "NaN", "Infinity", "-Infinity",
// which Python's float() and JavaScript's Number() read back.
Json encode_number(double value);
// Undoes encode_number; false when `value` is neither a number nor one of the three strings.
bool decode_number(const Json& value, double& number);

// Name and text of every leaf, in order; nested names are joined with dots, arrays with ", ".
std::vector<std::pair<std::string, std::string>> flatten(const Json& value);

}  // namespace ditto::apps
