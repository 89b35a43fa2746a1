// Config: the options of an app, each declared once and bound to a field of a plain struct.
//
// One name serves as the flag `--name value`, as the key of a JSON file and in `--set name=value`.
// A configuration file is one flat JSON object from names to values, `{"batch": 128, "rho": 0.3}`;
// a name may contain dots ("mask.rho"), and it is written whole, never as nested objects. A value
// replaces an earlier one; the command line applies them in the order defaults, files, --set,
// flags. Every unknown name, wrong type and value out of range is a UsageError that names the
// place, the value and what is allowed.
//
//   struct Options { int64_t batch = 128; std::string loss = "cce"; };
//   Options options;                       // must outlive the Config
//   config.group("Training");
//   config.add("batch", &options.batch, "rows per step").range(1, 1 << 20);
//   config.add("loss", &options.loss, "what is minimised").choices({"cce", "t-cce"});
#pragma once

#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "apps/common/json.h"
#include "core/error.h"

namespace ditto::apps {

// The user asked for something that cannot be: the program ends with exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

// What an option is bound to. Lists are written "a,b,c" on the command line and as arrays in JSON.
using Field = std::variant<bool*, int*, int64_t*, double*, std::string*, std::vector<std::string>*,
                           std::vector<int64_t>*, std::vector<double>*>;

// Where an option's value came from, weakest first.
enum class Origin { Default, File, Set, Flag };

class Option {
 public:
  Option(std::string name, Field field, std::string help, std::string group);

  // What is allowed. Numbers (and each number of a list): low <= value <= high.
  Option& range(double low, double high);
  Option& at_least(double low) { return range(low, kInfinity); }
  // Numbers greater than `low`, at most `high`.
  Option& above(double low, double high = kInfinity);
  // Strings (and each string of a list): one of `names`.
  Option& choices(std::vector<std::string> names);
  // Belongs to this call of the program, not to the experiment (where to write, whether to
  // overwrite): accepted as a flag only, left out of files.
  Option& flag_only();

  const std::string& name() const { return name_; }
  const std::string& help() const { return help_; }
  const std::string& group() const { return group_; }
  bool is_flag_only() const { return flag_only_; }
  bool is_bool() const { return std::holds_alternative<bool*>(field_); }
  Origin origin() const { return origin_; }
  // "an integer from 1 to 1024", "one of cce, t-cce", "true or false".
  std::string allowed() const;
  // The part of allowed() that the type alone does not say: "1 to 1024"; "" when all values are.
  std::string constraint() const;
  // "INT", "NUMBER", "TEXT", ... for the help text; "" for a bool.
  std::string type_name() const;

  Json value() const;
  // The value as one would type it after the flag.
  std::string text() const;
  // Checks and stores. `place` starts the error text.
  void assign(const Json& value, Origin origin, const std::string& place);
  // The same from command-line text.
  void assign_text(std::string_view text, Origin origin, const std::string& place);

 private:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  template <class T>
  bool convert(const Json& value, T& out) const;
  bool in_range(double value) const;
  [[noreturn]] void refuse(const Json& value, const std::string& place) const;

  std::string name_, help_, group_;
  Field field_;
  double low_ = -kInfinity, high_ = kInfinity;
  bool low_excluded_ = false;
  bool flag_only_ = false;
  std::vector<std::string> choices_;
  Origin origin_ = Origin::Default;
};

class Config {
 public:
  // Options declared from now on appear under this heading of --help.
  Config& group(std::string heading);
  // Declares an option whose default is the field's present value. Names are lower case with dashes
  // ("data-root"). Throws Error when the name is taken.
  Option& add(const std::string& name, Field field, const std::string& help);

  const std::vector<std::unique_ptr<Option>>& options() const { return options_; }
  // Throws UsageError with the nearest name. `place` starts the error text.
  Option& find(std::string_view name, const std::string& place = "") const;
  // Was the option given by the user (file, --set or flag)?
  bool given(std::string_view name) const { return find(name).origin() != Origin::Default; }

  // Takes every value of a JSON object; `source` is named in errors.
  void load(const Json& object, const std::string& source);
  void load_file(const std::filesystem::path& path);
  // "name=value".
  void set(std::string_view assignment);

  // Every option but the flag-only ones with its present value. load(dump()) changes nothing.
  Json dump() const;

 private:
  std::vector<std::string> names(bool with_flag_only) const;

  std::string heading_ = "Options";
  std::vector<std::unique_ptr<Option>> options_;
};

}  // namespace ditto::apps
