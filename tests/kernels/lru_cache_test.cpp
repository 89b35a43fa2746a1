#include "kernels/lru_cache.h"

#include <stdexcept>

#include "tests/support/catch.h"

namespace ditto::kernels {
namespace {

struct Key {
  int64_t a, b;
  friend bool operator==(const Key&, const Key&) = default;
};

TEST_CASE("LruCache: prepares each key once and evicts the least recently used") {
  LruCache<Key, int> cache(3);
  int made = 0;
  const auto get = [&](int64_t a, int64_t b = 0) {
    return cache.get({a, b}, [&] { return ++made, static_cast<int>(10 * a + b); });
  };
  CHECK(get(1) == 10);
  CHECK(get(1, 1) == 11);
  CHECK(get(1) == 10);
  CHECK(made == 2);
  get(2);
  CHECK(cache.size() == 3);
  get(1, 1);  // now (1, 0) is the oldest
  get(3);
  CHECK(cache.size() == 3);
  CHECK_FALSE(cache.contains({1, 0}));
  CHECK(cache.contains({1, 1}));
  CHECK(made == 4);
  CHECK(get(1) == 10);
  CHECK(made == 5);
}

TEST_CASE("LruCache: a preparation that throws leaves the cache as it was") {
  LruCache<Key, int> cache(2);
  cache.get({1, 2}, [] { return 3; });
  CHECK_THROWS_AS(cache.get({2, 2}, []() -> int { throw std::runtime_error("no"); }),
                  std::runtime_error);
  CHECK(cache.size() == 1);
  CHECK(cache.contains({1, 2}));
  CHECK_FALSE(cache.contains({2, 2}));
  CHECK((LruCache<Key, int>(0).capacity() == 1));
}

}  // namespace
}  // namespace ditto::kernels
