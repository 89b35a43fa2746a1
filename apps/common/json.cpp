#include "apps/common/json.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <set>

#include "apps/common/files.h"
#include "apps/common/text.h"
#include "core/error.h"

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace ditto::apps {
namespace {

constexpr int kMaxDepth = 64;

// "3:7", line and column of the byte at `position` (both from 1).
std::string line_and_column(std::string_view text, size_t position) {
  position = std::min(position, text.size());
  size_t line = 1, start = 0;
  for (size_t i = 0; i < position; ++i) {
    if (text[i] != '\n') continue;
    ++line;
    start = i + 1;
  }
  return fmt::format("{}:{}", line, position - start + 1);
}

// nlohmann's texts read "[json.exception.name.101] parse error at line 1, column 2: what is wrong";
// the reader wants what is wrong.
std::string reason(const nlohmann::json::exception& error) {
  std::string text = error.what();
  if (const size_t bracket = text.find("] "); bracket != std::string::npos)
    text.erase(0, bracket + 2);
  if (text.rfind("parse error", 0) == 0)
    if (const size_t colon = text.find(": "); colon != std::string::npos) text.erase(0, colon + 2);
  return text;
}

// The value with every non-finite number encoded.
Json encoded(const Json& value) {
  if (value.is_number_float()) return encode_number(value.get<double>());
  if (!value.is_structured()) return value;
  Json copy = value;
  for (Json& item : copy) item = encoded(item);
  return copy;
}

std::string leaf_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : json_line(value);
}

void flatten_into(const Json& value, const std::string& name,
                  std::vector<std::pair<std::string, std::string>>& rows) {
  if (value.is_object()) {
    for (const auto& [key, item] : value.items())
      flatten_into(item, name.empty() ? key : name + "." + key, rows);
  } else if (value.is_array()) {
    std::vector<std::string> parts;
    for (const Json& item : value) parts.push_back(leaf_text(item));
    rows.emplace_back(name, join(parts, ", "));
  } else {
    rows.emplace_back(name, leaf_text(value));
  }
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source) {
  std::vector<std::set<std::string>> open_objects;
  const auto callback = [&](int depth, nlohmann::json::parse_event_t event, Json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxDepth)
      throw Error(fmt::format("{}: nested deeper than {} levels", source, kMaxDepth));
    if (event == Event::object_start) open_objects.emplace_back();
    if (event == Event::object_end) open_objects.pop_back();
    if (event == Event::key && !open_objects.back().insert(parsed.get<std::string>()).second)
      throw Error(
          fmt::format("{}: the key \"{}\" occurs twice", source, parsed.get<std::string>()));
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), callback);
  } catch (const Json::parse_error& error) {
    const size_t position = error.byte > 0 ? error.byte - 1 : 0;
    throw Error(fmt::format("{}:{}: {}", source, line_and_column(text, position), reason(error)));
  } catch (const Json::exception& error) {  // for example a number beyond double's range
    throw Error(fmt::format("{}: {}", source, reason(error)));
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path, int64_t{64} << 20), path.string());
}

std::string json_text(const Json& value) {
  return encoded(value).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string json_line(const Json& value) {
  return encoded(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json encode_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

bool decode_number(const Json& value, double& number) {
  if (value.is_number()) {
    number = value.get<double>();
  } else if (value == "NaN") {
    number = std::numeric_limits<double>::quiet_NaN();
  } else if (value == "Infinity") {
    number = std::numeric_limits<double>::infinity();
  } else if (value == "-Infinity") {
    number = -std::numeric_limits<double>::infinity();
  } else {
    return false;
  }
  return true;
}

std::vector<std::pair<std::string, std::string>> flatten(const Json& value) {
  std::vector<std::pair<std::string, std::string>> rows;
  flatten_into(value, "", rows);
  return rows;
}

}  // namespace ditto::apps
