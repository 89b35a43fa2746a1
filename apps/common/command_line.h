// CommandLine: sub-commands, flags, configuration files, --help and --version of an app, and its
// exit codes: 0 success, 1 the work failed, 2 the command line or configuration is wrong, 3 a
// signal stopped the work, which can be resumed.
//
// `app [command] [--name value] [--flag | --no-flag] [--config file.json] [--set name=value]`. The
// command comes first; without one the first command added runs. A flag given twice counts once,
// the last time, so scripts can append the user's own flags; several --config files are taken one
// after the other.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "apps/common/config.h"

namespace ditto::apps {

// What a command is called with.
struct Invocation {
  std::string program;                 // "train_cifar"
  std::string command;                 // "train"
  std::vector<std::string> arguments;  // as typed, the program's path first
  const Config& config;
};

// A signal stopped the work, and its state is saved: exit code 3.
class Interrupted : public Error {
 public:
  using Error::Error;
};

class CommandLine {
 public:
  // `program` is the app's name, `about` one line for --help.
  CommandLine(std::string program, std::string about);

  // Adds a command. `declare` adds its options to the Config; `run` does the work, and reports
  // failure by throwing (UsageError: exit code 2, Interrupted: 3, anything else: 1).
  void add(std::string name, std::string about, std::function<void(Config&)> declare,
           std::function<void(const Invocation&)> run);

  // Parses, runs and returns the exit code. Writes --help and --version to `out`, errors to `err`.
  int run(int argc, const char* const* argv) const;
  int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) const;

 private:
  struct Command {
    std::string name, about;
    std::function<void(Config&)> declare;
    std::function<void(const Invocation&)> run;
  };

  const Command& choose(const std::vector<std::string>& arguments, size_t& first_flag) const;
  // False when --help or --version was asked for and answered.
  bool parse(const Command& command, std::vector<std::string> flags, Config& config,
             std::ostream& out) const;
  std::string footer() const;

  std::string program_, about_;
  std::vector<Command> commands_;
};

}  // namespace ditto::apps
