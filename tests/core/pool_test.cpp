#include "core/pool.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <thread>

#include "core/tensor.h"
#include "tests/support/catch.h"
#include "tests/support/heap.h"

namespace ditto {
namespace {

struct Node {
  explicit Node(int value, int* destroyed) : value(value), destroyed(destroyed) {}
  ~Node() { ++*destroyed; }
  int value;
  int* destroyed;
  std::array<double, 20> payload{};
};

// Without the pool (sanitizers see every object) or without a counting malloc there is nothing to
// count.
bool can_count() {
#ifdef __SANITIZE_ADDRESS__
  return false;
#else
  return testing::heap_is_counted();
#endif
}

}  // namespace

TEST_CASE("pooled objects are constructed, shared and destroyed like any other") {
  int destroyed = 0;
  {
    auto node = make_pooled<Node>(42, &destroyed);
    const auto other = node;
    REQUIRE(other->value == 42);
    REQUIRE(node.use_count() == 2);
  }
  REQUIRE(destroyed == 1);
}

TEST_CASE("pooled memory is aligned, distinct and intact, also beyond the largest class") {
  for (size_t bytes : {1u, 31u, 32u, 33u, 100u, 4096u, 16384u, 16385u, 1'100'000u}) {
    INFO(bytes);
    auto* a = static_cast<unsigned char*>(pool_allocate(bytes));
    auto* b = static_cast<unsigned char*>(pool_allocate(bytes));
    REQUIRE(reinterpret_cast<uintptr_t>(a) % alignof(std::max_align_t) == 0);
    std::memset(a, 1, bytes);
    std::memset(b, 2, bytes);
    REQUIRE(std::accumulate(a, a + bytes, size_t{0}) == bytes);
    REQUIRE(std::accumulate(b, b + bytes, size_t{0}) == 2 * bytes);
    pool_release(a, bytes);
    pool_release(b, bytes);
  }
}

TEST_CASE("pooled memory is reused at once") {
  if (!can_count()) DITTO_SKIP("under sanitizers the pool passes every request through");
  void* first = pool_allocate(100);
  pool_release(first, 100);
  void* second = pool_allocate(120);  // the same class: 128
  REQUIRE(second == first);
  pool_release(second, 120);
}

TEST_CASE("the counter of heap calls counts") {
  if (!testing::heap_is_counted()) DITTO_SKIP("the sanitizer brings its own malloc");
  const int64_t before = testing::heap_calls();
  void* volatile block = ::operator new(10);
  ::operator delete(block);
  REQUIRE(testing::heap_calls() == before + 1);
}

TEST_CASE("handles, lists and nodes in steady state never call malloc") {
  if (!can_count()) DITTO_SKIP("under sanitizers the pool passes every request through");
  int destroyed = 0;
  const auto step = [&] {
    Tensors list;
    for (int i = 0; i < 20; ++i) list.push_back(Tensor::zeros({4, 8, i + 1}));
    const auto node = make_pooled<Node>(1, &destroyed);
    const Tensor alias = list.back().alias({2, 2}, {1, 1}, 0);
    const Tensors copy = list;
  };
  step();
  const int64_t before = testing::heap_calls();
  for (int i = 0; i < 50; ++i) step();
  REQUIRE(testing::heap_calls() == before);
}

TEST_CASE("threads use the pool at the same time, also for objects of another thread") {
  int destroyed[4] = {};
  std::vector<std::shared_ptr<Node>> passed(4 * 100);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        auto node = make_pooled<Node>(t, &destroyed[t]);
        if (i % 10 == 0) passed[static_cast<size_t>(100 * t + i / 10)] = node;
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < passed.size(); ++i) REQUIRE(passed[i]->value == static_cast<int>(i / 100));
  std::thread([&] { passed.clear(); }).join();
  for (int count : destroyed) REQUIRE(count == 1000);
}

}  // namespace ditto
