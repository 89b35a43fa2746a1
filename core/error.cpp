#include "core/error.h"

#include <fmt/format.h>

namespace ditto {

std::string error_text(double value) { return fmt::format("{}", value); }

void throw_error(const Message& message, const std::vector<std::string>& values) {
  std::string text = message.text;
  for (const std::string& value : values) text += " " + value;
  std::string_view file = message.file;
  if (auto slash = file.rfind('/'); slash != std::string_view::npos) {
    // Keep folder/file: enough to find the line, and the same on every machine.
    auto previous = file.rfind('/', slash - 1);
    if (slash > 0 && previous != std::string_view::npos) file = file.substr(previous + 1);
  }
  throw Error(fmt::format("{} ({}:{})", text, file, message.line));
}

}  // namespace ditto
