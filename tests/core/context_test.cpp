#include "core/context.h"

#include <thread>

#include "core/on_device.h"
#include "tests/support/catch.h"

namespace ditto {
using testing::contains;

TEST_CASE("every thread has its own context") {
  const int before = num_threads();
  REQUIRE(before >= 1);
  int seen = 0;
  std::thread([&] {
    cpu_context().threads = before + 7;
    seen = num_threads();
  }).join();
  REQUIRE(seen == before + 7);
  REQUIRE(num_threads() == before);
}

TEST_CASE("set_num_threads holds here and in threads to come") {
  const int before = num_threads();
  set_num_threads(before + 2);
  REQUIRE(num_threads() == before + 2);
  int seen = 0;
  std::thread([&] { seen = num_threads(); }).join();
  REQUIRE(seen == before + 2);
  REQUIRE_THROWS_WITH(set_num_threads(0), contains("[set_num_threads] needs at least 1"));
  REQUIRE_THROWS_WITH(set_num_threads(-3), contains("got -3"));
  REQUIRE(num_threads() == before + 2);
  set_num_threads(before);
}

TEST_CASE("on_device calls with the context of the device") {
  const void* given = on_device(kCpu, [](auto& ctx) -> const void* { return &ctx; });
  REQUIRE(given == &cpu_context());
  if (!kHasCuda)
    REQUIRE_THROWS_WITH(on_device(Device{DeviceType::Cuda, 1}, [](auto&) {}),
                        contains("[device] this build has no CUDA support: cuda:1"));
}

TEST_CASE("devices have names and compare") {
  REQUIRE(to_string(kCpu) == "cpu");
  REQUIRE(to_string(Device{DeviceType::Cuda, 3}) == "cuda:3");
  REQUIRE(kCpu.is_cpu());
  REQUIRE_FALSE(Device{DeviceType::Cuda, 0} == kCpu);
  REQUIRE_FALSE(Device{DeviceType::Cuda, 0} == Device{DeviceType::Cuda, 1});
}

}  // namespace ditto
