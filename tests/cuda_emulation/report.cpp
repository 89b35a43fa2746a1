#include "tests/cuda_emulation/report.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace ditto::emulation {
namespace {

struct Findings {
  std::mutex mutex;
  std::vector<Report> list;
};

// Never destroyed: findings may come while the program ends (leaks).
Findings& findings() {
  static auto* all = new Findings;
  return *all;
}

void fail_if_findings_are_left() {
  const size_t left = findings().list.size();
  if (left == 0) return;
  std::fflush(nullptr);
  std::fprintf(stderr, "ditto emulation: the program ends with %zu findings\n", left);
  _exit(66);
}

// Registered before main(), hence called after the exit handlers of everything else.
[[gnu::constructor(101)]] void register_exit_handler() { std::atexit(fail_if_findings_are_left); }

}  // namespace

void report(Report found) {
  std::string where = found.file.empty() ? "" : found.file + ":" + std::to_string(found.line);
  std::fprintf(stderr, "ditto emulation: %s: %s: kernel %s: %s\n",
               where.empty() ? "unknown place" : where.c_str(), found.kind.c_str(),
               found.kernel.c_str(), found.text.c_str());
  std::lock_guard lock(findings().mutex);
  findings().list.push_back(std::move(found));
}

std::vector<Report> take_reports() {
  std::lock_guard lock(findings().mutex);
  return std::exchange(findings().list, {});
}

}  // namespace ditto::emulation
