// Catch2 for every test of ditto: serves versions 2.13 (Debian 12) and 3, and adds a visible skip
// and an error-message matcher that read the same under both.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#define CATCH_CONFIG_FAST_COMPILE
#include <catch2/catch.hpp>
#endif

#include <string>

#include "core/error.h"

namespace ditto::testing {

// Matches text that contains `part`; for REQUIRE_THROWS_WITH and REQUIRE_THAT:
//   REQUIRE_THROWS_WITH(f(), contains("[conv2d] weight channels"));
inline auto contains(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

// Prints "SKIPPED: <test>: <reason>" and counts it; main.cpp reports the count to CTest.
void report_skip(const std::string& test, const std::string& reason);
int skip_count();

}  // namespace ditto::testing

// Leaves the test case with a visible skip. A macro, because it must return from the test itself:
// Catch2 2.13 has no SKIP, and that of Catch2 3 changes the exit code.
#define DITTO_SKIP(reason)                                                                 \
  do {                                                                                     \
    ::ditto::testing::report_skip(Catch::getResultCapture().getCurrentTestName(), reason); \
    SUCCEED(reason);                                                                       \
    return;                                                                                \
  } while (false)
