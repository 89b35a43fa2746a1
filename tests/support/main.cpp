// The test program: Catch2's command line, plus a last line that tells CTest about skipped tests.
#define CATCH_CONFIG_RUNNER
#include <iostream>

#include "tests/support/catch.h"

namespace ditto::testing {
namespace {
int skips = 0;
}  // namespace

void report_skip(const std::string& test, const std::string& reason) {
  ++skips;
  std::cout << "SKIPPED: " << test << ": " << reason << std::endl;
}
int skip_count() { return skips; }

}  // namespace ditto::testing

// A test asks for more memory than there is and expects an error, not the sanitizer's abort.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() {
  return "allocator_may_return_null=1:halt_on_error=1:second_deadlock_stack=1";
}

int main(int argc, char** argv) {
  const int status = Catch::Session().run(argc, argv);
  if (status != 0 || ditto::testing::skip_count() == 0) return status;
  std::cout << "passed with " << ditto::testing::skip_count() << " skipped" << std::endl;
  // CTest calls the test skipped (SKIP_RETURN_CODE in tests/CMakeLists.txt), unless a sanitizer
  // ends the program with its own status.
  return 77;
}
