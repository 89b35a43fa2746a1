#include "core/parallel.h"

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"

namespace ditto {
namespace {

using testing::contains;

std::vector<std::pair<int64_t, int64_t>> pieces_of(int threads, int64_t n, int64_t grain) {
  std::vector<std::pair<int64_t, int64_t>> pieces;
  std::mutex mutex;
  parallel_for(CpuContext{threads}, n, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard lock(mutex);
    pieces.emplace_back(begin, end);
  });
  std::sort(pieces.begin(), pieces.end());
  return pieces;
}

}  // namespace

TEST_CASE("the pieces cover the range once, whatever the number of threads") {
  for (int threads : {1, 2, 3, 4, 7, 16})
    for (int64_t n : {1, 2, 5, 16, 97, 1000})
      for (int64_t grain : {1, 3, 64, 5000}) {
        INFO("threads " << threads << ", n " << n << ", grain " << grain);
        const auto pieces = pieces_of(threads, n, grain);
        REQUIRE(static_cast<int>(pieces.size()) <= threads);
        int64_t position = 0;
        for (const auto& [begin, end] : pieces) {
          REQUIRE(begin == position);
          REQUIRE(end > begin);
          if (pieces.size() > 1) REQUIRE(end - begin >= std::min(grain, n));
          position = end;
        }
        REQUIRE(position == n);
      }
}

TEST_CASE("an empty or negative range calls nothing") {
  REQUIRE(pieces_of(4, 0, 1).empty());
  REQUIRE(pieces_of(4, -5, 1).empty());
}

TEST_CASE("odd arguments are tamed") {
  REQUIRE(pieces_of(0, 10, 1).size() == 1);
  REQUIRE(pieces_of(-2, 10, 1).size() == 1);
  REQUIRE(pieces_of(1, 10, 0).size() == 1);
}

TEST_CASE("an exception comes out of the loop, that of the first piece") {
  for (int attempt = 0; attempt < 20; ++attempt)
    REQUIRE_THROWS_WITH(parallel_for(CpuContext{4}, 4, 1,
                                     [](int64_t begin, int64_t) { fail("[loop] piece", begin); }),
                        contains("[loop] piece 0"));
  // The other pieces run to their end, and the next loop works.
  std::atomic<int64_t> sum{0};
  REQUIRE_THROWS_AS(parallel_for(CpuContext{2}, 10, 1,
                                 [&](int64_t begin, int64_t end) {
                                   for (int64_t i = begin; i < end; ++i) {
                                     check(i != 0, "[loop] zero");
                                     sum += i;
                                   }
                                 }),
                    Error);
#ifdef DITTO_HAS_OPENMP
  REQUIRE(sum == 5 + 6 + 7 + 8 + 9);
#else
  REQUIRE(sum == 0);
#endif
  REQUIRE(pieces_of(1, 10, 1).size() == 1);
}

TEST_CASE("a loop inside a loop runs in the thread that meets it") {
  std::vector<std::atomic<int>> count(12);
  parallel_for(CpuContext{4}, 3, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      parallel_for(CpuContext{4}, 4, 1, [&](int64_t first, int64_t last) {
        for (int64_t j = first; j < last; ++j) ++count[static_cast<size_t>(4 * i + j)];
      });
  });
  for (const auto& times : count) REQUIRE(times == 1);
}

}  // namespace ditto
