#include "data/prefetch.h"

#include "core/error.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;

TEST_CASE("prefetch: peek() shows what take() will return, once it is made") {
  Prefetch<int64_t> prefetch(1, 2);
  CHECK(prefetch.peek() == nullptr);  // not started
  prefetch.start(
      [](int64_t i) {
        check(i < 3, "made too far");
        return 10 * i;
      },
      0, 4);
  for (int64_t i = 0; i < 3; ++i) {
    int64_t* next = nullptr;
    while (next == nullptr) next = prefetch.peek(), std::this_thread::yield();
    CHECK(*next == 10 * i);
    *next += 1;
    CHECK(prefetch.take() == 10 * i + 1);
  }
  CHECK(prefetch.peek() == nullptr);  // an error is no result
  CHECK_THROWS(prefetch.take());
  CHECK(prefetch.peek() == nullptr);  // stopped

  Prefetch<int64_t> alone(0, 2);
  alone.start([](int64_t i) { return i; }, 0, 1);
  CHECK(alone.peek() == nullptr);  // take() makes it
  CHECK(alone.take() == 0);
}
