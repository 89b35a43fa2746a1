#include "apps/common/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <new>
#include <utility>

#include "apps/common/build_info.h"
#include "apps/common/text.h"

namespace ditto::apps {
namespace {

constexpr size_t kHelpWidth = 100;
constexpr size_t kHelpColumn = 32;

// `text` in lines of at most kHelpWidth columns, the first one beginning at kHelpColumn.
std::string wrap(const std::string& text) {
  std::string out;
  size_t column = kHelpColumn;
  for (const std::string& word : split(text, ' ')) {
    const size_t width = static_cast<size_t>(display_width(word));
    if (column > kHelpColumn && column + 1 + width > kHelpWidth) {
      out += "\n" + std::string(kHelpColumn, ' ');
      column = kHelpColumn;
    } else if (column > kHelpColumn) {
      out += ' ';
      ++column;
    }
    out += word;
    column += width;
  }
  return out;
}

// CLI11's help layout with wrapped descriptions and our texts.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool) const override {
    std::string names = "  --" + option->get_lnames().front();
    if (!option->get_snames().empty()) names += ", -" + option->get_snames().front();
    if (!option->get_type_name().empty()) names += " " + option->get_type_name();
    const std::string gap = names.size() + 2 <= kHelpColumn
                                ? std::string(kHelpColumn - names.size(), ' ')
                                : "\n" + std::string(kHelpColumn, ' ');
    return names + gap + wrap(option->get_description()) + "\n";
  }
  std::string make_group(std::string heading, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    std::string text = heading + ":\n";
    for (const CLI::Option* option : options) text += make_option(option, is_positional);
    return text;
  }
  std::string make_usage(const CLI::App* app, std::string) const override {
    return fmt::format("Usage: {} [--option value]...\n\n", app->get_name());
  }
};

std::string help_text(const Option& option) {
  std::string text = option.help();
  if (const std::string limits = option.constraint(); !limits.empty()) text += " (" + limits + ")";
  const std::string value =
      option.is_bool() ? (option.text() == "true" ? "on" : "off") : option.text();
  return value.empty() ? text : text + " [" + value + "]";
}

// An argument that no option took.
[[noreturn]] void refuse_extra(const std::string& argument, const CLI::App& app) {
  if (argument.size() < 2 || argument[0] != '-')
    throw UsageError(fmt::format(
        "unexpected argument \"{}\": write --option value; a switch is --name, --no-name or "
        "--name=false",
        argument));
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  std::string name = argument.substr(0, argument.find('='));
  name.erase(0, name.find_first_not_of('-'));
  throw UsageError(fmt::format("unknown option {}{}", argument.substr(0, argument.find('=')),
                               did_you_mean(name, names, "--")));
}

}  // namespace

CommandLine::CommandLine(std::string program, std::string about)
    : program_(std::move(program)), about_(std::move(about)) {}

void CommandLine::add(std::string name, std::string about, std::function<void(Config&)> declare,
                      std::function<void(const Invocation&)> run) {
  commands_.push_back({std::move(name), std::move(about), std::move(declare), std::move(run)});
}

const CommandLine::Command& CommandLine::choose(const std::vector<std::string>& arguments,
                                                size_t& first_flag) const {
  check(!commands_.empty(), "[command_line] the app has no commands:", program_);
  first_flag = 1;
  if (arguments.size() < 2 || (!arguments[1].empty() && arguments[1][0] == '-'))
    return commands_.front();
  std::vector<std::string> names;
  for (const Command& command : commands_) {
    if (command.name == arguments[1]) {
      first_flag = 2;
      return command;
    }
    names.push_back(command.name);
  }
  throw UsageError(fmt::format("unknown command {}{} (commands: {})", arguments[1],
                               did_you_mean(arguments[1], names), join(names, ", ")));
}

std::string CommandLine::footer() const {
  std::string text;
  if (commands_.size() > 1) {
    text += "\nCommands:\n";
    for (const Command& command : commands_)
      text += fmt::format("  {:<{}}{}\n", command.name, kHelpColumn - 2, wrap(command.about));
    text += fmt::format("  `{} COMMAND --help` shows a command's options; without a command, {}.\n",
                        program_, commands_.front().name);
  }
  return text +
         "\nA switch turns off with --no-NAME or --NAME=false. Values in [] are the defaults.\n"
         "Exit codes: 0 success, 1 the work failed, 2 wrong command line or configuration,\n"
         "3 stopped by a signal with the state saved.\n";
}

bool CommandLine::parse(const Command& command, std::vector<std::string> flags, Config& config,
                        std::ostream& out) const {
  const bool is_default = &command == &commands_.front();
  CLI::App app(is_default ? about_ : command.about,
               is_default ? program_ : program_ + " " + command.name);
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(footer());
  app.allow_extras();  // so that unknown names reach refuse_extra
  app.set_help_flag("-h,--help", "show this text and exit");
  std::vector<std::string> files, assignments;
  bool version = false;
  app.add_flag("--version", version, "show version and build, and exit");
  app.add_option("--config", files, "JSON file of option values, {\"name\": value, ...}")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("--set", assignments, "the same as --NAME VALUE, but weaker than any flag")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);

  // Values are read from results() below: the checks and the error texts are ours.
  std::string unread;
  std::vector<std::pair<CLI::Option*, Option*>> bound;
  for (const auto& option : config.options()) {
    const std::string name = "--" + option->name();
    CLI::Option* flag = option->is_bool() ? app.add_flag(name + ",!--no-" + option->name(), unread,
                                                         help_text(*option))
                                          : app.add_option(name, unread, help_text(*option));
    flag->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->type_name(option->type_name())
        ->group(option->group());
    bound.emplace_back(flag, option.get());
  }

  // CLI11 reads `--name=` as a name whose value is the next argument.
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i].rfind("--", 0) != 0 || flags[i].find('=') != flags[i].size() - 1) continue;
    flags[i].pop_back();
    flags.insert(flags.begin() + static_cast<std::ptrdiff_t>(i) + 1, "");
  }
  std::reverse(flags.begin(), flags.end());  // CLI11 takes vectors from the back
  try {
    app.parse(std::move(flags));
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return false;
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string text = error.what();  // "--batch: 1 required INT missing"
    throw UsageError(fmt::format("{} needs a value", text.substr(0, text.find(':'))));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  } catch (const std::invalid_argument&) {
    throw UsageError("a --no-NAME switch takes no value");
  }
  if (version) {
    out << program_ << ' ' << version_text() << '\n';
    return false;
  }
  // `--loss --batch 5` is a forgotten value, not a loss called --batch; say so before the 5 that is
  // left over.
  for (const auto& [flag, option] : bound)
    for (const std::string& value : flag->results())
      if (!option->is_bool() && value.rfind("--", 0) == 0)
        throw UsageError(fmt::format("--{} needs a value, {}, but is followed by {}",
                                     option->name(), option->allowed(), value));
  if (const auto extras = app.remaining(); !extras.empty()) refuse_extra(extras.front(), app);

  for (const std::string& file : files) config.load_file(file);
  for (const std::string& assignment : assignments) config.set(assignment);
  for (const auto& [flag, option] : bound)
    if (flag->count() > 0)
      option->assign_text(flag->results().back(), Origin::Flag, "--" + option->name());
  return true;
}

int CommandLine::run(int argc, const char* const* argv) const {
  return run(std::vector<std::string>(argv, argv + argc), std::cout, std::cerr);
}

int CommandLine::run(const std::vector<std::string>& arguments, std::ostream& out,
                     std::ostream& err) const {
  try {
    size_t first_flag = 0;
    const Command& command = choose(arguments, first_flag);
    Config config;
    command.declare(config);
    std::vector<std::string> flags;
    if (arguments.size() > first_flag)
      flags.assign(arguments.begin() + static_cast<std::ptrdiff_t>(first_flag), arguments.end());
    if (parse(command, std::move(flags), config, out))
      command.run({program_, command.name, arguments, config});
    out.flush();
    return 0;
  } catch (const UsageError& error) {
    err << program_ << ": " << error.what() << " (" << program_ << " --help lists the options)\n";
    return 2;
  } catch (const Interrupted& error) {
    err << program_ << ": " << error.what() << '\n';
    return 3;
  } catch (const std::bad_alloc&) {
    err << program_ << ": out of memory\n";
    return 1;
  } catch (const std::exception& error) {
    err << program_ << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace ditto::apps
