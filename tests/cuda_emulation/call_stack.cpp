#include "tests/cuda_emulation/call_stack.h"

#include <execinfo.h>

#include "tests/cuda_emulation/report.h"
#include "tests/cuda_emulation/symbolise.h"

namespace ditto::emulation {
namespace {

// Frames of the doubles and of libraries say nothing about the program.
bool is_internal(const std::string& file) {
  if (file.ends_with("_test.cpp")) return false;
  for (const char* name : {"/cudart_", "/cublas_double", "/cudnn_double", "/call_stack.cpp",
                           "/libsanitizer/", "/usr/include/", "/csu/"})
    if (file.find(name) != std::string::npos) return true;
  return false;
}

}  // namespace

CallStack CallStack::here() {
  CallStack stack;
  stack.count_ = backtrace(stack.frames_.data(), static_cast<int>(stack.frames_.size()));
  return stack;
}

std::vector<std::pair<std::string, int>> CallStack::places() const {
  std::vector<std::pair<std::string, int>> out;
  for (auto& place : symbolise({frames_.data(), static_cast<size_t>(count_)}))
    if (out.size() < 6 && !place.first.empty() && !is_internal(place.first))
      out.push_back(std::move(place));
  return out;
}

std::string CallStack::text() const {
  std::string out;
  for (const auto& [file, line] : places())
    out += "    at " + file + ":" + std::to_string(line) + "\n";
  return out.empty() ? "    at a place without debug information\n" : out;
}

void report_call(const std::string& kind, const std::string& name, const CallStack& stack,
                 const std::string& text) {
  const auto places = stack.places();
  report({kind, name, places.empty() ? "" : places[0].first, places.empty() ? 0 : places[0].second,
          text});
}

}  // namespace ditto::emulation
