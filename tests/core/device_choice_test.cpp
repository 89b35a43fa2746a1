#include "core/device_choice.h"

#include "core/context.h"
#include "tests/support/catch.h"

namespace ditto {

using testing::contains;

TEST_CASE("device choice: cpu is the CPU, and nonsense is an error") {
  REQUIRE(choose_device("cpu").device == kCpu);
  REQUIRE(choose_device("cpu").note.empty());
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:99999999999",
                           "CUDA", "cpu:0", "cuda:0\x1b[2J"}) {
    INFO(text);
    REQUIRE_THROWS_WITH(choose_device(text), contains("[device]"));
  }
  REQUIRE_THROWS_WITH(choose_device("cuda:\x1b[2J"), contains("\\x1b"));
}

#ifndef DITTO_HAS_CUDA

TEST_CASE("device choice: without CUDA in the build, auto is the CPU and cuda an error") {
  REQUIRE(choose_device("auto").device == kCpu);
  REQUIRE(choose_device("auto").note.empty());
  REQUIRE_THROWS_WITH(choose_device("cuda"), contains("no CUDA support"));
  REQUIRE(cuda_device_count() == 0);
}

#else

TEST_CASE("device choice: a missing device is named with the driver's answer") {
  std::string answer;
  const int count = cuda_device_count(&answer);
  REQUIRE_FALSE(answer.empty());
  const std::string beyond = "cuda:" + std::to_string(count);
  REQUIRE_THROWS_WITH(choose_device(beyond), contains(beyond) && contains(answer));
  if (count == 0) {
    // What a program of a CUDA build does on a machine without a GPU.
    REQUIRE_THROWS_WITH(choose_device("cuda"), contains("cuda:0") && contains(answer));
    const DeviceChoice choice = choose_device("auto");
    REQUIRE(choice.device == kCpu);
    REQUIRE_THAT(choice.note, contains("cuda:0") && contains(answer) && contains("on the CPU"));
    return;
  }
  REQUIRE(choose_device("cuda").device == Device{DeviceType::Cuda, 0});
  REQUIRE(choose_device("cuda:0").device == Device{DeviceType::Cuda, 0});
  REQUIRE_THAT(device_description({DeviceType::Cuda, 0}), contains("compute capability"));
#ifdef DITTO_CUDA_EMULATED
  REQUIRE(choose_device("auto").device == kCpu);
  REQUIRE_THAT(choose_device("cuda").note, contains("emulated"));
#else
  REQUIRE(choose_device("auto").device == Device{DeviceType::Cuda, 0});
#endif
}

#endif

}  // namespace ditto
