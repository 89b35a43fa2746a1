#include "apps/common/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <type_traits>

#include "apps/common/text.h"

namespace ditto::apps {
namespace {

template <class T>
struct IsList : std::false_type {};
template <class T>
struct IsList<std::vector<T>> : std::true_type {};

template <class T>
constexpr const char* type_words() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, int> || std::is_same_v<T, int64_t>) return "an integer";
  if constexpr (std::is_same_v<T, double>) return "a number";
  if constexpr (std::is_same_v<T, std::string>) return "text in UTF-8";
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return "a list of texts";
  if constexpr (std::is_same_v<T, std::vector<int64_t>>) return "a list of integers";
  return "a list of numbers";
}

template <class T>
constexpr const char* type_label() {
  if constexpr (std::is_same_v<T, bool>) return "";
  if constexpr (std::is_same_v<T, int> || std::is_same_v<T, int64_t>) return "INT";
  if constexpr (std::is_same_v<T, double>) return "NUMBER";
  if constexpr (std::is_same_v<T, std::string>) return "TEXT";
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return "TEXT,...";
  if constexpr (std::is_same_v<T, std::vector<int64_t>>) return "INT,...";
  return "NUMBER,...";
}

// The whole text as a number, independent of the locale; nothing when it is none.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<bool> parse_bool(std::string_view text) {
  for (const char* yes : {"true", "1", "on", "yes"})
    if (text == yes) return true;
  for (const char* no : {"false", "0", "off", "no"})
    if (text == no) return false;
  return std::nullopt;
}

// Command-line text as the JSON that the type T is read from; text that does not parse stays a
// string, which T then refuses.
template <class T>
Json json_from_text(std::string_view text) {
  if constexpr (IsList<T>::value) {
    Json list = Json::array();
    for (const std::string& part : split(text, ','))
      list.push_back(json_from_text<typename T::value_type>(part));
    return list;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (const auto value = parse_bool(text)) return *value;
  } else if constexpr (std::is_integral_v<T>) {
    if (const auto value = parse_number<int64_t>(text)) return *value;
  } else if constexpr (std::is_same_v<T, double>) {
    if (const auto value = parse_number<double>(text)) return *value;
  }
  return std::string(text);
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (IsList<T>::value) {
    std::vector<std::string> parts;
    for (const auto& item : value) parts.push_back(text_of(item));
    return join(parts, ",");
  } else {
    return fmt::format("{}", value);
  }
}

}  // namespace

Option::Option(std::string name, Field field, std::string help, std::string group)
    : name_(std::move(name)), help_(std::move(help)), group_(std::move(group)), field_(field) {
  assign(value(), Origin::Default, "default of " + name_);
}

Option& Option::range(double low, double high) {
  low_ = low;
  high_ = high;
  low_excluded_ = false;
  assign(value(), Origin::Default, "default of " + name_);
  return *this;
}

Option& Option::above(double low, double high) {
  low_ = low;
  high_ = high;
  low_excluded_ = true;
  assign(value(), Origin::Default, "default of " + name_);
  return *this;
}

Option& Option::choices(std::vector<std::string> names) {
  choices_ = std::move(names);
  assign(value(), Origin::Default, "default of " + name_);
  return *this;
}

Option& Option::flag_only() {
  flag_only_ = true;
  return *this;
}

std::string Option::constraint() const {
  if (!choices_.empty()) return join(choices_, ", ");
  if (low_excluded_ && high_ < kInfinity) return fmt::format("above {}, at most {}", low_, high_);
  if (low_excluded_) return fmt::format("above {}", low_);
  if (low_ > -kInfinity && high_ < kInfinity) return fmt::format("{} to {}", low_, high_);
  if (low_ > -kInfinity) return fmt::format("at least {}", low_);
  if (high_ < kInfinity) return fmt::format("at most {}", high_);
  return "";
}

std::string Option::allowed() const {
  return std::visit(
      [&](auto* field) -> std::string {
        using T = std::remove_pointer_t<decltype(field)>;
        const std::string limits = constraint();
        if (limits.empty()) return type_words<T>();
        const char* of_each = IsList<T>::value ? ", each" : "";
        if (!choices_.empty())
          return IsList<T>::value ? fmt::format("a list of names, each one of {}", limits)
                                  : fmt::format("one of {}", limits);
        const bool interval = !low_excluded_ && low_ > -kInfinity && high_ < kInfinity;
        return fmt::format("{}{}{} {}", type_words<T>(), of_each, interval ? " from" : "", limits);
      },
      field_);
}

std::string Option::type_name() const {
  return std::visit(
      [](auto* field) -> std::string {
        return type_label<std::remove_pointer_t<decltype(field)>>();
      },
      field_);
}

Json Option::value() const {
  return std::visit([](auto* field) { return Json(*field); }, field_);
}

std::string Option::text() const {
  return std::visit([](auto* field) { return text_of(*field); }, field_);
}

bool Option::in_range(double value) const {
  return (low_excluded_ ? value > low_ : value >= low_) && value <= high_;
}

// Reads a JSON value as T; false when it has another type or is not allowed.
template <class T>
bool Option::convert(const Json& value, T& out) const {
  if constexpr (IsList<T>::value) {
    if (!value.is_array()) return false;
    out.clear();
    for (const Json& item : value) {
      typename T::value_type element{};
      if (!convert(item, element)) return false;
      out.push_back(std::move(element));
    }
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) return false;
    out = value.get<bool>();
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    if (!value.is_number_integer()) return false;
    if (value.is_number_unsigned() &&
        value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<T>::max()))
      return false;
    const int64_t number = value.get<int64_t>();
    if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max())
      return false;
    out = static_cast<T>(number);
    return in_range(static_cast<double>(number));
  } else if constexpr (std::is_same_v<T, double>) {
    if (!value.is_number()) return false;
    out = value.get<double>();
    return std::isfinite(out) && in_range(out);
  } else {
    if (!value.is_string()) return false;
    out = value.get<std::string>();
    if (!is_utf8(out)) return false;  // the resolved configuration must fit into a JSON file
    return choices_.empty() || std::find(choices_.begin(), choices_.end(), out) != choices_.end();
  }
}

void Option::refuse(const Json& value, const std::string& place) const {
  // The first name that is not a choice, of a list or alone, may be a misspelt one.
  std::string hint;
  for (const Json& item : value.is_array() ? value : Json::array({value}))
    if (hint.empty() && !choices_.empty() && item.is_string()) {
      const auto name = item.get<std::string>();
      if (std::find(choices_.begin(), choices_.end(), name) == choices_.end())
        hint = did_you_mean(name, choices_);
    }
  throw UsageError(
      fmt::format("{}: {} is not {}{}", place, shorten(json_line(value), 200), allowed(), hint));
}

void Option::assign(const Json& value, Origin origin, const std::string& place) {
  std::visit(
      [&](auto* field) {
        // Converted aside, so that a refused value leaves the field alone.
        std::remove_pointer_t<decltype(field)> converted{};
        if (!convert(value, converted)) refuse(value, place);
        *field = std::move(converted);
      },
      field_);
  origin_ = origin;
}

void Option::assign_text(std::string_view text, Origin origin, const std::string& place) {
  const Json value = std::visit(
      [&](auto* field) { return json_from_text<std::remove_pointer_t<decltype(field)>>(text); },
      field_);
  assign(value, origin, place);
}

Config& Config::group(std::string heading) {
  heading_ = std::move(heading);
  return *this;
}

Option& Config::add(const std::string& name, Field field, const std::string& help) {
  const bool legal =
      !name.empty() && name.front() != '-' && name.front() != '.' &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
      });
  check(legal, "[config] option names are lower case letters, digits, dashes and dots:", name);
  for (const auto& option : options_)
    check(option->name() != name, "[config] option declared twice:", name);
  options_.push_back(std::make_unique<Option>(name, field, help, heading_));
  return *options_.back();
}

std::vector<std::string> Config::names(bool with_flag_only) const {
  std::vector<std::string> all;
  for (const auto& option : options_)
    if (with_flag_only || !option->is_flag_only()) all.push_back(option->name());
  return all;
}

Option& Config::find(std::string_view name, const std::string& place) const {
  for (const auto& option : options_)
    if (option->name() == name) return *option;
  throw UsageError(fmt::format("{}unknown option {}{}", place.empty() ? "" : place + ": ",
                               json_line(std::string(name)),
                               did_you_mean(name, names(place.empty()))));
}

void Config::load(const Json& object, const std::string& source) {
  if (!object.is_object())
    throw UsageError(
        fmt::format("{}: a configuration is a JSON object, {{\"name\": value, ...}}", source));
  for (const auto& [name, value] : object.items()) {
    Option& option = find(name, source);
    if (option.is_flag_only())
      throw UsageError(
          fmt::format("{}: {} can only be given as the flag --{}", source, name, name));
    option.assign(value, Origin::File, source + ": " + name);
  }
}

void Config::load_file(const std::filesystem::path& path) {
  Json object;
  try {
    object = read_json(path);
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(fmt::format("configuration file {}", error.what()));
  }
  load(object, path.string());
}

void Config::set(std::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0)
    throw UsageError(fmt::format("--set {}: write --set name=value", assignment));
  const std::string name(assignment.substr(0, equals));
  Option& option = find(name, "--set");
  if (option.is_flag_only())
    throw UsageError(fmt::format("--set: {} can only be given as the flag --{}", name, name));
  option.assign_text(assignment.substr(equals + 1), Origin::Set, "--set " + name);
}

Json Config::dump() const {
  Json object = Json::object();
  for (const auto& option : options_)
    if (!option->is_flag_only()) object[option->name()] = option->value();
  return object;
}

}  // namespace ditto::apps
