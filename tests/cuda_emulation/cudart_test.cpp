#include "tests/cuda_emulation/cudart.h"

#include <cstring>
#include <set>
#include <vector>

#include "tests/cuda_emulation/child.h"
#include "tests/cuda_emulation/cudart_fixture.h"

namespace ditto::emulation {
namespace {

using testing::contains;

TEST_CASE("cudart double: nothing runs before the host synchronises") {
  const Clean clean;
  const TestStream stream;
  int runs = 0;
  run(stream, "count", [&] { ++runs; });
  run(stream, "count", [&] { ++runs; });
  CHECK(runs == 0);
  CHECK(pending_operations() == 2);
  ok(cudaStreamSynchronize(stream));
  CHECK(runs == 2);
  CHECK(pending_operations() == 0);
}

TEST_CASE("cudart double: a stream keeps its order, two streams interleave in many ways") {
  const Clean clean;
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    set_seed(seed);
    const TestStream a, b;
    std::string order;
    for (char c : {'a', 'b', 'c'}) run(a, "first", [&order, c] { order += c; });
    for (char c : {'x', 'y', 'z'}) run(b, "second", [&order, c] { order += c; });
    ok(cudaStreamSynchronize(a));
    ok(cudaStreamSynchronize(b));
    CHECK(order.size() == 6);
    std::string only_a, only_b;
    for (char c : order) (c <= 'c' ? only_a : only_b) += c;
    CHECK(only_a == "abc");
    CHECK(only_b == "xyz");
    orders.insert(order);
  }
  CHECK(orders.size() >= 8);
}

TEST_CASE("cudart double: events and the default stream order streams") {
  const Clean clean;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    set_seed(seed);
    const TestStream a, b, blocking(cudaStreamDefault);
    const TestEvent event;
    std::string order;
    run(a, "a", [&] { order += 'a'; });
    ok(cudaEventRecord(event, a));
    run(a, "after the event", [&] { order += '.'; });
    ok(cudaStreamWaitEvent(b, event, 0));
    run(b, "b", [&] { order += 'b'; });
    ok(cudaStreamSynchronize(b));
    CHECK(order.find('a') < order.find('b'));
    ok(cudaEventSynchronize(event));
    ok(cudaDeviceSynchronize());

    order.clear();
    run(blocking, "1", [&] { order += '1'; });
    run(nullptr, "2", [&] { order += '2'; });
    run(blocking, "3", [&] { order += '3'; });
    ok(cudaStreamSynchronize(blocking));
    CHECK(order == "123");
    ok(cudaDeviceSynchronize());
  }
}

TEST_CASE("cudart double: queries let work pass, times come from events") {
  const Clean clean;
  const TestStream stream;
  const TestEvent start(cudaEventDefault), end(cudaEventDefault), untimed;
  ok(cudaEventQuery(start));  // never recorded
  ok(cudaEventRecord(start, stream));
  for (int i = 0; i < 20; ++i) run(stream, "work", [] {});
  ok(cudaEventRecord(end, stream));
  float milliseconds = -1;
  CHECK(cudaEventElapsedTime(&milliseconds, start, end) == cudaErrorNotReady);
  int waited = 0;
  while (cudaEventQuery(end) == cudaErrorNotReady && waited < 1000) ++waited;
  CHECK(waited > 3);
  CHECK(waited < 1000);
  CHECK(cudaGetLastError() == cudaErrorNotReady);
  ok(cudaEventElapsedTime(&milliseconds, start, end));
  CHECK(milliseconds >= 0);
  ok(cudaEventRecord(untimed, stream));
  ok(cudaStreamSynchronize(stream));
  CHECK(cudaEventElapsedTime(&milliseconds, start, untimed) == cudaErrorInvalidResourceHandle);
  CHECK(cudaGetLastError() == cudaErrorInvalidResourceHandle);
}

TEST_CASE("cudart double: copies, memsets, fresh memory is full of NaN") {
  const Clean clean;
  DeviceArray<float> array(5);
  CHECK(reinterpret_cast<uintptr_t>(array.data) % 256 == 0);
  for (float value : array.host()) CHECK(value != value);
  const std::vector<float> values = {1, 2, 3, 4, 5};
  ok(cudaMemcpy(array.data, values.data(), 20, cudaMemcpyDefault));
  DeviceArray<float> other(5);
  ok(cudaMemcpy(other.data, array.data, 20, cudaMemcpyDeviceToDevice));
  CHECK(other.host() == values);
  ok(cudaMemset(other.data, 0, 8));
  CHECK(other.host() == std::vector<float>{0, 0, 3, 4, 5});
  CHECK(cudaMemcpy(other.data, values.data(), 20, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaMemset(const_cast<float*>(values.data()), 0, 4) == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
}

TEST_CASE("cudart double: pageable sources are taken at once, pageable targets are waited for") {
  const Clean clean;
  const TestStream stream;
  DeviceArray<int> array(3);
  {
    std::vector<int> values = {1, 2, 3};
    ok(cudaMemcpyAsync(array.data, values.data(), 12, cudaMemcpyHostToDevice, stream));
    values = {7, 7, 7};
  }
  std::vector<int> back(3);
  ok(cudaMemcpyAsync(back.data(), array.data, 12, cudaMemcpyDeviceToHost, stream));
  CHECK(back == std::vector<int>{1, 2, 3});
}

TEST_CASE("cudart double: a race between streams is reported with both places, its repair is not") {
  const Clean clean;
  for (bool repaired : {false, true})
    for (uint64_t seed : {0, 1, 2, 3}) {
      set_seed(seed);
      const TestStream producer, consumer;
      const TestEvent event;
      DeviceArray<int> from(std::vector<int>{1, 2, 3}), to(3);
      const int cleared = __LINE__ + 1;
      ok(cudaMemsetAsync(from.data, 0, 12, producer));
      if (repaired) {
        ok(cudaEventRecord(event, producer));
        ok(cudaStreamWaitEvent(consumer, event, 0));
      }
      const int copied = __LINE__ + 1;
      ok(cudaMemcpyAsync(to.data, from.data, 12, cudaMemcpyDeviceToDevice, consumer));
      ok(cudaDeviceSynchronize());
      const auto races = of_kind("stream-race");
      CHECK(races.size() == (repaired ? 0 : 1));
      for (const Report& race : races) {
        CHECK_THAT(race.text, contains("memset"));
        CHECK_THAT(race.text, contains("copy from device to device"));
        // At the place of the one that ran later, with the other's in the text.
        CHECK_THAT(race.file, contains("cudart_test.cpp"));
        CHECK((race.line == copied || race.line == cleared));
        const int other = race.line == copied ? cleared : copied;
        CHECK_THAT(race.text, contains("cudart_test.cpp:" + std::to_string(other)));
      }
    }
}

TEST_CASE("cudart double: memory freed while another stream uses it") {
  const Clean clean;
  for (bool repaired : {false, true})
    for (uint64_t seed : {0, 1, 2, 3}) {
      set_seed(seed);
      const TestStream owner, user;
      const TestEvent made, used;
      DeviceArray<char> to(64);
      void* buffer = nullptr;
      ok(cudaMallocAsync(&buffer, 64, owner));
      ok(cudaMemsetAsync(buffer, 1, 64, owner));
      ok(cudaEventRecord(made, owner));
      ok(cudaStreamWaitEvent(user, made, 0));
      ok(cudaMemcpyAsync(to.data, buffer, 64, cudaMemcpyDeviceToDevice, user));
      if (repaired) {
        ok(cudaEventRecord(used, user));
        ok(cudaStreamWaitEvent(owner, used, 0));
      }
      ok(cudaFreeAsync(buffer, owner));
      ok(cudaDeviceSynchronize());
      if (repaired) CHECK(to.host() == std::vector<char>(64, 1));
      // The free came first and the copy finds nothing, or the copy was lucky.
      const auto findings = take_reports();
      CHECK(findings.size() == (repaired ? 0 : 1));
      for (const Report& finding : findings)
        CHECK((finding.kind == "stream-race" || finding.kind == "invalid-memory"));
    }
}

TEST_CASE("cudart double: the host touches device memory") {
  for (bool repaired : {false, true}) {
    constexpr int kTouched = __LINE__ + 9;
    const std::string output = output_of_child([&] {
      float* data = nullptr;
      cudaMalloc(reinterpret_cast<void**>(&data), 16);
      cudaMemset(data, 0, 16);
      float value = 0;
      if (repaired)
        cudaMemcpy(&value, data, 4, cudaMemcpyDeviceToHost);
      else
        value = *static_cast<volatile float*>(data);
      std::fprintf(stderr, "value %g\n", static_cast<double>(value));
    });
    INFO(output);
    CHECK((output.find("use-after-poison") != std::string::npos ||
           output.find("host-access") != std::string::npos) == !repaired);
    CHECK_THAT(output,
               contains(repaired ? "value 0" : "cudart_test.cpp:" + std::to_string(kTouched)));
  }
}

TEST_CASE("cudart double: pinned memory before the host has synchronised") {
  const Clean clean;
  int* pinned = nullptr;
  ok(cudaHostAlloc(reinterpret_cast<void**>(&pinned), 12, cudaHostAllocDefault));
  const TestStream stream;
  DeviceArray<int> array(3);
  for (bool repaired : {false, true}) {
    pinned[0] = 1, pinned[1] = 2, pinned[2] = 3;
    const int copied = __LINE__ + 1;
    ok(cudaMemcpyAsync(array.data, pinned, 12, cudaMemcpyHostToDevice, stream));
    if (repaired) ok(cudaStreamSynchronize(stream));
    pinned[1] = 7;
    ok(cudaStreamSynchronize(stream));
    const auto written = of_kind("host-write");
    REQUIRE(written.size() == (repaired ? 0 : 1));
    if (repaired) continue;
    CHECK_THAT(written[0].file, contains("cudart_test.cpp"));  // where the copy was asked for
    CHECK(written[0].line == copied);
  }
#ifdef __SANITIZE_ADDRESS__
  for (bool repaired : {false, true}) {
    constexpr int kRead = __LINE__ + 4;
    const std::string output = output_of_child([&] {
      cudaMemcpyAsync(pinned, array.data, 12, cudaMemcpyDeviceToHost, stream);
      if (repaired) cudaStreamSynchronize(stream);
      std::fprintf(stderr, "value %d\n", *static_cast<volatile int*>(pinned));
    });
    CHECK_THAT(output, contains(repaired ? "value 1" : "use-after-poison"));
    if (!repaired) CHECK_THAT(output, contains("cudart_test.cpp:" + std::to_string(kRead)));
  }
#endif
  // Freed while a copy still needs it.
  ok(cudaMemcpyAsync(array.data, pinned, 12, cudaMemcpyHostToDevice, stream));
  ok(cudaFreeHost(pinned));
  ok(cudaStreamSynchronize(stream));
  CHECK(of_kind("invalid-memory").size() == 1);
}

TEST_CASE("cudart double: leaks are reported by the place that made them") {
  const Clean clean;
  for (bool repaired : {false, true}) {
    const LeakCheck check;
    std::vector<void*> buffers(3);
    const int made = __LINE__ + 1;
    for (void*& buffer : buffers) ok(cudaMalloc(&buffer, 100));
    if (repaired)
      for (void* buffer : buffers) ok(cudaFree(buffer));
    check.report_leaks();
    const auto leaks = of_kind("leak");
    REQUIRE(leaks.size() == (repaired ? 0 : 1));
    if (repaired) continue;
    CHECK_THAT(leaks[0].text, contains("3 buffer(s) of together 300 bytes"));
    CHECK_THAT(leaks[0].file, contains("cudart_test.cpp"));
    CHECK(leaks[0].line == made);
    for (void* buffer : buffers) ok(cudaFree(buffer));
  }
}

TEST_CASE("cudart double: accesses of operations are checked against buffers") {
  const Clean clean;
  DeviceArray<char> array(100);
  void* pointer = array.data;
  for (size_t bytes : {100, 101}) {
    ok(cudaMemsetAsync(array.data, 0, 99, nullptr));
    ok(enqueue(nullptr, "gemm", {{array.data, bytes, false}}, [] {}));
    ok(cudaDeviceSynchronize());
    CHECK(of_kind("out-of-bounds").size() == (bytes == 100 ? 0 : 1));
  }
  ok(cudaMalloc(&pointer, 8));
  ok(cudaFree(pointer));
  CHECK(cudaFree(pointer) == cudaErrorInvalidValue);
  CHECK(of_kind("invalid-free").size() == 1);
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
}

TEST_CASE("cudart double: memory limit, pools and their statistics") {
  const Clean clean;
  cudaMemPool_t pool = nullptr;
  ok(cudaDeviceGetDefaultMemPool(&pool, 0));
  ok(cudaMemPoolTrimTo(pool, 0));
  size_t free = 0, total = 0;
  ok(cudaMemGetInfo(&free, &total));
  const size_t used = total - free;
  set_memory_limit(used + 1000);
  void *a = nullptr, *b = nullptr;
  ok(cudaMalloc(&a, 600));
  CHECK(cudaMalloc(&b, 600) == cudaErrorMemoryAllocation);
  CHECK(b == nullptr);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaSuccess);
  ok(cudaFree(a));

  const TestStream stream;
  uint64_t threshold = UINT64_MAX, before = 0, value = 0;
  ok(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &before));
  ok(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
  ok(cudaMallocAsync(&a, 800, stream));
  ok(cudaFreeAsync(a, stream));
  ok(cudaMallocAsync(&a, 900, stream));  // the freed bytes serve again
  CHECK(cudaMallocAsync(&b, 200, stream) == cudaErrorMemoryAllocation);
  ok(cudaFreeAsync(a, stream));
  ok(cudaStreamSynchronize(stream));
  ok(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &value));
  CHECK(value >= 900);
  CHECK(cudaMalloc(&b, 900) == cudaErrorMemoryAllocation);  // the pool holds the bytes
  ok(cudaMemPoolTrimTo(pool, 0));
  ok(cudaMalloc(&b, 900));
  ok(cudaFree(b));
  ok(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &before));
  cudaGetLastError();
  set_memory_limit(size_t{8} << 30);
}

TEST_CASE("cudart double: failures come where they are asked for; a lost context stays lost") {
  const Clean clean;
  void* pointer = nullptr;
  fail_call("cudaMalloc", 2);
  ok(cudaMalloc(&pointer, 8));
  ok(cudaFree(pointer));
  CHECK(cudaMalloc(&pointer, 8) == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);

  fail_call("kernel", 1);
  run(nullptr, "bad", [] {});
  CHECK(cudaPeekAtLastError() == cudaSuccess);  // not noticed yet
  CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
  CHECK(cudaMalloc(&pointer, 8) == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
  clear_sticky_error();
  ok(cudaMalloc(&pointer, 8));
  ok(cudaFree(pointer));
}

TEST_CASE("cudart double: handles and sizes are checked") {
  const Clean clean;
  cudaStream_t stream = nullptr;
  ok(cudaStreamCreate(&stream));
  ok(cudaStreamDestroy(stream));
  CHECK(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle);
  CHECK(cudaStreamDestroy(stream) == cudaErrorInvalidResourceHandle);
  cudaEvent_t event = nullptr;
  ok(cudaEventCreate(&event));
  ok(cudaEventDestroy(event));
  CHECK(cudaEventRecord(event, nullptr) == cudaErrorInvalidResourceHandle);
  CHECK(cudaGetLastError() == cudaErrorInvalidResourceHandle);
  for (const auto& [grid, block] :
       {std::pair{dim3(1, 65536), dim3(1)}, {dim3(1), dim3(1025)}, {dim3(0), dim3(1)}}) {
    launch(nullptr, "too large", grid, block, 0, [] {});
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  }
  int value = 0;
  ok(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  CHECK(value == 227 * 1024);
  cudaDeviceProp properties;
  ok(cudaGetDeviceProperties(&properties, 0));
  CHECK(properties.warpSize == 32);
  CHECK(cudaSetDevice(99) == cudaErrorInvalidDevice);
  CHECK(cudaGetLastError() == cudaErrorInvalidDevice);
  CHECK(std::string(cudaGetErrorName(cudaErrorInvalidDevice)) == "cudaErrorInvalidDevice");
}

TEST_CASE("cudart double: host functions run in order and may not call CUDA") {
  const Clean clean;
  const TestStream stream;
  struct State {
    std::string order;
    cudaError_t inner = cudaSuccess;
  } state;
  run(stream, "k", [&] { state.order += 'k'; });
  ok(cudaLaunchHostFunc(
      stream,
      [](void* data) {
        auto* state = static_cast<State*>(data);
        state->order += 'h';
        state->inner = cudaDeviceSynchronize();
      },
      &state));
  run(stream, "l", [&] { state.order += 'l'; });
  ok(cudaStreamSynchronize(stream));
  CHECK(state.order == "khl");
  CHECK(state.inner == cudaErrorNotPermitted);
  cudaGetLastError();
}

}  // namespace
}  // namespace ditto::emulation
