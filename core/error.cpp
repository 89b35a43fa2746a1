#include "core/error.h"

#include <fmt/format.h>

namespace ditto {

std::string error_text(double value) { return fmt::format("{}", value); }

std::string printable(std::string_view text) {
  constexpr size_t kLongest = 200;
  std::string out;
  for (char c : text.substr(0, kLongest)) {
    if (c >= 0x20 && c < 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return text.size() > kLongest ? out + "..." : out;
}

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
