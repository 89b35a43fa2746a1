// Shows that the emulation finds what it claims to find, at the right file and line and nothing in
// repaired kernels; and that it computes what CUDA defines.
#include "tests/cuda_emulation/self_test.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <string>

#include "core/sanitizer.h"
#include "tests/cuda_emulation/checker.h"
#include "tests/cuda_emulation/child.h"
#include "tests/cuda_emulation/counters.h"
#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/report.h"
#include "tests/cuda_emulation/simt.h"
#include "tests/support/catch.h"

namespace ditto::emulation::self_test {
namespace {

using testing::contains;

// What a report must say in this build; null where it does not claim to find the bug.
const char* claim(const SeededBug& bug) {
  if (checker::active()) return bug.under_checker;
  if (kAddressSanitizer) return bug.under_asan;
  // Without sanitizers the emulation's own reports are left.
  return bug.under_asan && bug.under_asan[0] == ':' ? bug.under_asan : nullptr;
}

// Lines of the comments "BUG name" in self_test_bugs.cu.
std::map<std::string, int> bug_lines() {
  std::map<std::string, int> lines;
  std::ifstream file(DITTO_SELF_TEST_BUGS);
  std::string text;
  for (int line = 1; std::getline(file, text); ++line) {
    const std::string mark = "BUG ";
    for (size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) {
      const size_t name = at + mark.size();
      lines[text.substr(name, text.find(' ', name) - name)] = line;
    }
  }
  return lines;
}

std::string output_with_seed(const SeededBug& bug, bool repaired, uint64_t seed) {
  return output_of_child([&] {
    set_schedule_seed(seed);
    set_seed(seed);
    bug.run(repaired);
  });
}

struct WithCounters {
  WithCounters() {
    clear_counters();
    enable_counters(true);
  }
  ~WithCounters() { enable_counters(false); }
};

struct Buffers {
  explicit Buffers(int count) : x(std::vector<float>(count, 1.0f)), y(count) {}
  DeviceArray<float> x, y;
};

}  // namespace

TEST_CASE("emulated device: every seeded bug is reported with file and line") {
  const auto lines = bug_lines();
  int claimed = 0;
  for (const SeededBug& bug : seeded_bugs()) {
    const char* expected = claim(bug);
    if (!expected) continue;
    ++claimed;
    REQUIRE(lines.count(bug.name) == 1);
    for (uint64_t seed : {0, 1, 2, 7}) {
      const std::string output = output_with_seed(bug, false, seed);
      INFO(bug.name << ", seed " << seed << ":\n" << output);
      CHECK_THAT(output, contains(expected));
      CHECK_THAT(output, contains("self_test_bugs.cu:" + std::to_string(lines.at(bug.name))));
    }
  }
  CHECK(claimed == (checker::active() ? 20 : kAddressSanitizer ? 12 : 7));
}

TEST_CASE("emulated device: nothing is reported of a repaired kernel") {
  for (const SeededBug& bug : seeded_bugs()) {
    for (uint64_t seed : {0, 1, 2, 7}) {
      INFO(bug.name << ", seed " << seed);
      CHECK(output_with_seed(bug, true, seed) == "");
    }
  }
}

TEST_CASE("emulated device: warp functions") {
  std::vector<int> lanes(32), expected(32);
  std::iota(lanes.begin(), lanes.end(), 0);
  auto each = [&](auto f) {
    for (int lane = 0; lane < 32; ++lane) expected[lane] = f(lane);
    return expected;
  };
  auto all = [&](int value) { return std::vector<int>(32, value); };
  for (uint64_t seed : {0, 1, 2, 3}) {
    set_schedule_seed(seed);
    CHECK(warp_function(WarpFunction::kShuffle, lanes) ==
          each([](int i) { return i / 8 * 8 + 3; }));
    CHECK(warp_function(WarpFunction::kShuffleUp, lanes) ==
          each([](int i) { return i % 16 < 2 ? i : i - 2; }));
    CHECK(warp_function(WarpFunction::kShuffleDown, lanes) ==
          each([](int i) { return i % 16 > 13 ? i : i + 2; }));
    CHECK(warp_function(WarpFunction::kShuffleXor, lanes) == each([](int i) { return i ^ 5; }));
    CHECK(warp_function(WarpFunction::kBallot, lanes) == all(-2));
    CHECK(warp_function(WarpFunction::kAny, lanes) == all(1));
    CHECK(warp_function(WarpFunction::kAny, all(30)) == all(0));
    CHECK(warp_function(WarpFunction::kAll, lanes) == all(0));
    CHECK(warp_function(WarpFunction::kAll, all(31)) == all(1));
    const std::vector<int> parity = each([](int i) { return i % 2; });
    CHECK(warp_function(WarpFunction::kMatchAny, parity) ==
          each([](int i) { return static_cast<int>(i % 2 ? 0xAAAAAAAA : 0x55555555); }));
    CHECK(warp_function(WarpFunction::kMatchAll, lanes) == all(0));
    CHECK(warp_function(WarpFunction::kMatchAll, all(9)) == all(-1));
    const std::vector<int> centred = each([](int i) { return i - 16; });
    CHECK(warp_function(WarpFunction::kReduceAdd, centred) == all(-16));
    CHECK(warp_function(WarpFunction::kReduceMin, centred) == all(-16));
    CHECK(warp_function(WarpFunction::kReduceMax, centred) == all(15));
    CHECK(warp_function(WarpFunction::kReduceXor, lanes) == all(0));
    CHECK(shuffled_double_sum(std::vector<double>(32, 0.25)) == 8.0);
  }
  set_schedule_seed(0);
}

TEST_CASE("emulated device: barriers that vote, indices, atomics") {
  for (uint64_t seed : {0, 1, 5}) {
    set_schedule_seed(seed);
    for (unsigned threads : {1u, 33u, 256u, 1024u}) {
      const int n = static_cast<int>(threads);
      const BarrierVotes none = barrier_votes(threads, 0), every = barrier_votes(threads, n);
      CHECK((none.count == 0 && none.all == 0 && none.any == 0));
      CHECK((every.count == n && every.all == 1 && every.any == 1));
      const AtomicResults results = atomics(threads);
      CHECK(results.add == n * (n - 1) / 2);
      CHECK(results.minimum == 1 - n);
      CHECK(results.maximum == n - 1);
      CHECK(results.bits == (threads < 31 ? (1 << threads) - 1 : 0x7FFFFFFF));
      CHECK(results.exchanged == 7);
      CHECK(results.increments == n);
      CHECK(results.float_add == 0.5f * static_cast<float>(n));
    }
    std::vector<int> numbers(2 * 3 * 4 * 5 * 6 * 7);
    std::iota(numbers.begin(), numbers.end(), 0);
    CHECK(thread_numbers(dim3(2, 3, 4), dim3(5, 6, 7)) == numbers);
  }
  set_schedule_seed(0);
}

TEST_CASE("emulated device: the seed decides the order") {
  std::vector<int> in_order(256);
  std::iota(in_order.begin(), in_order.end(), 0);
  std::set<std::vector<int>> orders;
  for (uint64_t seed : {0, 1, 2, 3, 4}) {
    set_schedule_seed(seed);
    const std::vector<int> order = ticket_order();
    CHECK(ticket_order() == order);  // the same seed, the same order
    orders.insert(order);
    if (seed == 0) CHECK(order == in_order);
    if (seed == 1) CHECK(order == std::vector<int>(in_order.rbegin(), in_order.rend()));
    CHECK(std::is_permutation(order.begin(), order.end(), in_order.begin()));
  }
  CHECK(orders.size() == 5);
  set_schedule_seed(0);
}

TEST_CASE("emulated device: limits of a launch") {
  for (const dim3 block : {dim3(1025), dim3(1, 1, 65), dim3(0)}) {
    LaunchRecord record{"limits", dim3(1), block, 0, [] {}, 0};
    CHECK_THROWS_AS(run_grid(record), LaunchError);
  }
  CHECK_THROWS_AS(run_grid({"limits", dim3(1, 65536), dim3(1), 0, [] {}, 0}), LaunchError);
  CHECK_THROWS_AS(run_grid({"limits", dim3(1), dim3(1), 300 << 10, [] {}, 0}), LaunchError);
  const auto reports = take_reports();
  REQUIRE(reports.size() == 5);
  for (const Report& report : reports) CHECK(report.kind == "launch-limit");
  // The same process goes on.
  run_grid({"thrower", dim3(2), dim3(64), 0, [] {}, 0});
  CHECK_THROWS_WITH(
      run_grid({"thrower", dim3(1), dim3(1), 0, [] { throw std::runtime_error("no luck"); }, 0}),
      contains("no luck"));
  CHECK(take_reports().size() == 1);
  CHECK(barrier_votes(64, 64).all == 1);
}

TEST_CASE("emulated device: counters") {
  if (!checker::active()) DITTO_SKIP("kernels are not instrumented in this build");
  constexpr int kCount = 8192;
  const WithCounters counting;
  const Buffers small(kCount);
  const DeviceArray<float> large(std::vector<float>(4 * kCount, 1.0f));
  const uint64_t bytes = kCount * sizeof(float);
  copy_strided(small.x.data(), small.y.data(), kCount, 1);
  copy_vectors(small.x.data(), small.y.data(), kCount);
  copy_broadcast(small.x.data(), small.y.data(), kCount);
  auto counters = kernel_counters();
  for (const char* name : {"copy_strided", "copy_vectors"}) {
    const KernelCounters& c = counters[name];
    INFO(name);
    CHECK(c.launches == 1);
    CHECK(c.bytes_read == bytes);
    CHECK(c.bytes_written == bytes);
    CHECK(c.sector_efficiency() == 1.0);
    CHECK(c.memory_bytes() == 2 * bytes);
    CHECK(c.shared_passes == 0);
  }
  CHECK(counters["copy_broadcast"].bytes_read == bytes / 32);
  CHECK(counters["copy_broadcast"].memory_read == 32);

  clear_counters();
  copy_strided(large.data(), small.y.data(), kCount, 2);
  const KernelCounters halved = kernel_counters()["copy_strided"];
  CHECK(halved.sectors == 3 * bytes / 32);
  CHECK(halved.least_sectors == 2 * bytes / 32);
  CHECK(halved.memory_read == 2 * bytes);

  // A second pass is free where the data is still in the cache, and only there.
  sum_passes(small.x.data(), small.y.data(), kCount, 2);
  CHECK(kernel_counters()["sum_passes"].memory_read == bytes);
  clear_counters();
  sum_passes(large.data(), small.y.data(), 4 * kCount, 2);
  CHECK(kernel_counters()["sum_passes"].memory_read == 8 * bytes);

  transpose_tile(small.x.data(), small.y.data(), false);
  transpose_tile(small.x.data(), small.y.data(), true);
  counters = kernel_counters();
  CHECK(counters["transpose"].bank_conflicts() == 32 * 31);
  CHECK(counters["transpose_padded"].bank_conflicts() == 0);
  CHECK(counters["transpose_padded"].least_shared_passes == 64);
  CHECK_THAT(counters_table(), contains("| transpose | 1 |"));
}

}  // namespace ditto::emulation::self_test
