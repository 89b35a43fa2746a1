// One libFuzzer program per target (DITTO_FUZZ_TARGET is its name).
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ditto::fuzz::Target run = [] {
    for (const ditto::fuzz::NamedTarget& target : ditto::fuzz::targets())
      if (target.name == DITTO_FUZZ_TARGET) return target.run;
    return ditto::fuzz::Target{};
  }();
  run({data, size});
  return 0;
}
