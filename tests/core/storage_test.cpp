#include "core/storage.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "core/error.h"
#include "tests/support/catch.h"
#include "tests/support/heap.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace ditto {
namespace {

using testing::contains;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kCaches = false;
#else
constexpr bool kCaches = true;
#endif

}  // namespace

TEST_CASE("storage is aligned to 64 bytes and usable to its last byte") {
  for (int64_t bytes : {0, 1, 63, 64, 65, 511, 512, 513, 1000, 4097, 1 << 20, 12345678}) {
    INFO(bytes);
    const Storage storage(bytes, kCpu);
    REQUIRE(storage.bytes() == bytes);
    REQUIRE(storage.data() != nullptr);
    REQUIRE(reinterpret_cast<uintptr_t>(storage.data()) % 64 == 0);
    std::memset(storage.data(), 1, static_cast<size_t>(bytes));
#ifdef __SANITIZE_ADDRESS__
    REQUIRE(__asan_address_is_poisoned(static_cast<char*>(storage.data()) +
                                       std::max<int64_t>(bytes, 1)));
#endif
  }
}

TEST_CASE("statistics follow what is alive; slack is at most an eighth") {
  release_cached_memory();
  const MemoryStats before = memory_stats();
  REQUIRE(before.cached == 0);
  reset_peak_memory();
  REQUIRE(memory_stats().peak == before.current);
  {
    const Storage a(100'000, kCpu);
    const MemoryStats with_a = memory_stats();
    REQUIRE(with_a.current - before.current >= 100'000);
    REQUIRE(with_a.current - before.current <= 112'500);
    REQUIRE(with_a.system_allocations == before.system_allocations + 1);
    const Storage b(200'000, kCpu);
    REQUIRE(memory_stats().current - before.current >= 300'000);
  }
  const MemoryStats after = memory_stats();
  REQUIRE(after.current == before.current);
  REQUIRE(after.peak - before.current >= 300'000);
  REQUIRE(after.peak - before.current <= 337'500);
  REQUIRE((after.cached >= 300'000) == kCaches);
  release_cached_memory();
  REQUIRE(memory_stats().cached == 0);
  REQUIRE(memory_stats().current == before.current);
}

TEST_CASE("slack stays within an eighth for all sizes") {
  release_cached_memory();
  int64_t worst_size = 0;
  double worst = 0;
  for (int64_t bytes = 513; bytes < 3'000'000; bytes += 1 + bytes / 37) {
    const int64_t before = memory_stats().current;
    const Storage storage(bytes, kCpu);
    const int64_t used = memory_stats().current - before;
    REQUIRE(used >= bytes);
    const double slack = static_cast<double>(used) / static_cast<double>(bytes) - 1;
    if (slack > worst) {
      worst = slack;
      worst_size = bytes;
    }
  }
  INFO("worst at " << worst_size);
  REQUIRE(worst <= 0.125);
  REQUIRE(worst > 0);
  release_cached_memory();
}

TEST_CASE("a freed block serves the next storage of its size class") {
  if (!kCaches) DITTO_SKIP("under AddressSanitizer every block is its own allocation");
  release_cached_memory();
  void* first = nullptr;
  {
    const Storage storage(50'000, kCpu);
    first = storage.data();
  }
  const MemoryStats before = memory_stats();
  REQUIRE(before.cached > 0);
  const Storage again(50'001, kCpu);  // the same class
  REQUIRE(again.data() == first);
  REQUIRE(memory_stats().cached == 0);
  REQUIRE(memory_stats().system_allocations == before.system_allocations);
  const Storage other(90'000, kCpu);
  REQUIRE(memory_stats().system_allocations == before.system_allocations + 1);
}

TEST_CASE("steady use asks the system for nothing") {
  if (!kCaches) DITTO_SKIP("under AddressSanitizer every block is its own allocation");
  const auto step = [] {
    std::vector<std::unique_ptr<Storage>> blocks;
    blocks.reserve(30);
    for (int64_t i = 0; i < 30; ++i)
      blocks.push_back(std::make_unique<Storage>(1000 * (i % 7 + 1), kCpu));
  };
  step();
  const int64_t before = memory_stats().system_allocations;
  for (int i = 0; i < 100; ++i) step();
  REQUIRE(memory_stats().system_allocations == before);
}

TEST_CASE("sizes that cannot be are errors") {
  REQUIRE_THROWS_WITH(Storage(-1, kCpu), contains("[storage] negative size: -1"));
  REQUIRE_THROWS_WITH(Storage(INT64_MAX, kCpu), contains("[storage] out of memory: asked for"));
  REQUIRE_THROWS_WITH(Storage(int64_t{1} << 56, kCpu), contains("[storage] out of memory"));
#ifndef DITTO_HAS_CUDA
  REQUIRE_THROWS_WITH(Storage(8, Device{DeviceType::Cuda, 0}),
                      contains("[storage] this build has no CUDA support: cuda:0"));
#endif
  // A refused allocation leaves the statistics alone.
  const int64_t before = memory_stats().current;
  REQUIRE_THROWS_AS(Storage(int64_t{1} << 56, kCpu), Error);
  REQUIRE(memory_stats().current == before);
}

TEST_CASE("versions count writes") {
  Storage storage(8, kCpu);
  REQUIRE(storage.version() == 0);
  storage.bump_version();
  storage.bump_version();
  REQUIRE(storage.version() == 2);
}

TEST_CASE("threads allocate and free at the same time") {
  const int64_t before = memory_stats().current;
  std::vector<std::thread> threads;
  std::vector<int> damaged(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&damaged, t] {
      for (int i = 0; i < 500; ++i) {
        const Storage storage(64 * (i % 9 + 1), kCpu);
        auto* bytes = static_cast<unsigned char*>(storage.data());
        std::memset(bytes, t, static_cast<size_t>(storage.bytes()));
        for (int64_t k = 0; k < storage.bytes(); ++k)
          damaged[static_cast<size_t>(t)] += bytes[k] != t;
      }
    });
  for (std::thread& thread : threads) thread.join();
  REQUIRE(damaged == std::vector<int>(4));
  REQUIRE(memory_stats().current == before);
}

}  // namespace ditto
