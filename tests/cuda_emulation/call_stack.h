// Call stacks for findings of the host side: taken cheaply at every call, turned into text only
// when something is reported.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace ditto::emulation {

class CallStack {
 public:
  // The stack of the caller.
  static CallStack here();
  // File and line of the innermost frames outside the emulation that have any.
  std::vector<std::pair<std::string, int>> places() const;
  // One line "    at file:line" per place.
  std::string text() const;

 private:
  std::array<void*, 16> frames_{};
  int count_ = 0;
};

// report() of a mistake of the host: `name` is the operation or call.
void report_call(const std::string& kind, const std::string& name, const CallStack& stack,
                 const std::string& text);

}  // namespace ditto::emulation
