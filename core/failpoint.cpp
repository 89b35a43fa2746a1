#include "core/failpoint.h"

#include <signal.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace ditto {
namespace {

constexpr std::string_view kNames[] = {"write", "fsync", "rename", "mkdir", "remove"};
constexpr int kKinds = 5, kAny = kKinds;

// What the environment variable asks for.
struct Plan {
  int kind = -1;  // index into kNames, kAny, or -1: count only
  int64_t number = 0;
  bool and_later = false;
  int error = 0;  // 0: kill
};
Plan plan;
std::atomic<int64_t> counts[kKinds + 1];  // the last is for all kinds together

void print_counts() {
  std::string line = "failpoint:";
  for (int i = 0; i < kKinds; ++i)
    line += " " + std::string(kNames[i]) + " " + std::to_string(counts[i].load());
  line += " any " + std::to_string(counts[kAny].load()) + "\n";
  std::fputs(line.c_str(), stderr);
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t colon; (colon = text.find(':')) != std::string_view::npos;) {
    parts.push_back(text.substr(0, colon));
    text.remove_prefix(colon + 1);
  }
  parts.push_back(text);
  return parts;
}

bool is_hit(int64_t count) { return plan.and_later ? count >= plan.number : count == plan.number; }

}  // namespace

bool Failpoint::parse() {
  const char* value = std::getenv("DITTO_FAILPOINT");
  if (!value || !*value) return false;
  const std::string_view text = value;
  if (text == "count") {
    std::atexit(print_counts);
    return true;
  }
  std::vector<std::string_view> parts = split(text);
  bool good = parts.size() == 3;
  if (good) {
    for (int i = 0; i < kKinds; ++i)
      if (parts[0] == kNames[i]) plan.kind = i;
    if (parts[0] == "any") plan.kind = kAny;
    std::string_view number = parts[1];
    plan.and_later = !number.empty() && number.back() == '+';
    if (plan.and_later) number.remove_suffix(1);
    const auto [end, code] =
        std::from_chars(number.data(), number.data() + number.size(), plan.number);
    if (parts[2] == "enospc") plan.error = ENOSPC;
    if (parts[2] == "eio") plan.error = EIO;
    good = plan.kind >= 0 && code == std::errc() && end == number.data() + number.size() &&
           plan.number >= 1 && (plan.error != 0 || parts[2] == "kill");
  }
  check(good, "[failpoint] DITTO_FAILPOINT is CALL:N:ACTION (see core/failpoint.h) or count, not",
        printable(text));
  return true;
}

bool Failpoint::next_write_is_hit() {
  if (plan.kind < 0 || (plan.kind != kAny && plan.kind != int(FileCall::Write))) return false;
  return is_hit(counts[plan.kind].load() + 1);
}

int Failpoint::hit(FileCall call) {
  const int kind = static_cast<int>(call);
  const int64_t of_kind = ++counts[kind], of_any = ++counts[kAny];
  if (plan.kind != kind && plan.kind != kAny) return 0;
  if (!is_hit(plan.kind == kAny ? of_any : of_kind)) return 0;
  if (plan.error == 0) raise(SIGKILL);
  return plan.error;
}

}  // namespace ditto
