#include <numeric>
#include <set>

#include "tests/cuda_emulation/cudart_fixture.h"

namespace ditto::emulation {
namespace {

struct TestGraph {
  ~TestGraph() {
    if (graph) ok(cudaGraphDestroy(graph));
    if (exec) ok(cudaGraphExecDestroy(exec));
  }
  void begin(cudaStream_t stream) {
    ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  }
  void end(cudaStream_t stream, unsigned flags = 0) {
    ok(cudaStreamEndCapture(stream, &graph));
    ok(cudaGraphInstantiate(&exec, graph, flags));
  }
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
};

TEST_CASE("graph double: captured work runs at every launch and never before") {
  const Clean clean;
  const TestStream stream;
  DeviceArray<int> array(std::vector<int>{1, 2, 3});
  int* const data = array.data;
  TestGraph graph;
  graph.begin(stream);
  cudaStreamCaptureStatus status;
  ok(cudaStreamIsCapturing(stream, &status));
  CHECK(status == cudaStreamCaptureStatusActive);
  run(stream, "add", [data] {
    for (int i = 0; i < 3; ++i) data[i] += 10;
  });
  run(stream, "double", [data] {
    for (int i = 0; i < 3; ++i) data[i] *= 2;
  });
  graph.end(stream);
  size_t nodes = 0;
  ok(cudaGraphGetNodes(graph.graph, nullptr, &nodes));
  CHECK(nodes == 2);
  ok(cudaDeviceSynchronize());
  CHECK(array.host() == std::vector<int>{1, 2, 3});
  for (int launch = 0; launch < 2; ++launch) ok(cudaGraphLaunch(graph.exec, stream));
  ok(cudaStreamSynchronize(stream));
  CHECK(array.host() == std::vector<int>{64, 68, 72});
  // Launches that wait keep what they need.
  ok(cudaGraphLaunch(graph.exec, stream));
  ok(cudaGraphExecDestroy(graph.exec));
  graph.exec = nullptr;
  ok(cudaStreamSynchronize(stream));
  CHECK(array.host() == std::vector<int>{148, 156, 164});
}

TEST_CASE("graph double: branches keep their edges and interleave") {
  const Clean clean;
  const TestStream main, side;
  const TestEvent fork, join;
  std::string order;
  TestGraph graph;
  graph.begin(main);
  run(main, "a", [&] { order += 'a'; });
  ok(cudaEventRecord(fork, main));
  ok(cudaStreamWaitEvent(side, fork, 0));
  run(side, "b", [&] { order += 'b'; });
  run(main, "c", [&] { order += 'c'; });
  ok(cudaEventRecord(join, side));
  ok(cudaStreamWaitEvent(main, join, 0));
  run(main, "d", [&] { order += 'd'; });
  graph.end(main);
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    set_seed(seed);
    order.clear();
    run(main, "before", [&] { order += '<'; });
    ok(cudaGraphLaunch(graph.exec, main));
    run(main, "after", [&] { order += '>'; });
    ok(cudaStreamSynchronize(main));
    orders.insert(order);
  }
  CHECK(orders == std::set<std::string>{"<abcd>", "<acbd>"});
}

TEST_CASE("graph double: races inside a graph are findings") {
  const Clean clean;
  for (bool repaired : {false, true}) {
    const TestStream main, side;
    const TestEvent fork, join;
    DeviceArray<int> array(3), copy(3);
    TestGraph graph;
    graph.begin(main);
    ok(cudaEventRecord(fork, main));
    ok(cudaMemsetAsync(array.data, 0, 12, main));
    if (repaired) ok(cudaEventRecord(fork, main));  // after the write
    ok(cudaStreamWaitEvent(side, fork, 0));
    ok(cudaMemcpyAsync(copy.data, array.data, 12, cudaMemcpyDeviceToDevice, side));
    ok(cudaEventRecord(join, side));
    ok(cudaStreamWaitEvent(main, join, 0));
    graph.end(main);
    ok(cudaGraphLaunch(graph.exec, main));
    ok(cudaStreamSynchronize(main));
    CHECK(of_kind("stream-race").size() == (repaired ? 0 : 1));
  }
}

TEST_CASE("graph double: what may not happen during a capture ends it") {
  const Clean clean;
  const TestStream stream, other, blocking(cudaStreamDefault);
  const TestEvent outside;
  ok(cudaEventRecord(outside, other));
  DeviceArray<int> array(1);
  int host = 0;
  void* pointer = nullptr;
  const std::vector<std::pair<cudaError_t, std::function<cudaError_t()>>> mistakes = {
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaStreamSynchronize(stream); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaDeviceSynchronize(); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaStreamQuery(stream); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaMalloc(&pointer, 8); }},
      {cudaErrorStreamCaptureUnsupported,
       [&] { return cudaMemcpy(&host, array.data, 4, cudaMemcpyDeviceToHost); }},
      {cudaErrorStreamCaptureIsolation, [&] { return cudaStreamWaitEvent(stream, outside, 0); }},
  };
  for (const auto& [expected, mistake] : mistakes) {
    ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    CHECK(mistake() == expected);
    CHECK(cudaMemsetAsync(array.data, 0, 4, stream) == cudaErrorStreamCaptureInvalidated);
    cudaGraph_t graph = nullptr;
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
    cudaGetLastError();
    ok(cudaStreamSynchronize(stream));  // an ordinary stream again
  }
  // The default stream would join a blocking one.
  ok(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeThreadLocal));
  CHECK(cudaMemsetAsync(array.data, 0, 4, nullptr) == cudaErrorStreamCaptureImplicit);
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(blocking, &graph) == cudaErrorStreamCaptureInvalidated);
  // In relaxed mode allocations are free.
  ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  ok(cudaThreadExchangeStreamCaptureMode(&mode));
  ok(cudaMalloc(&pointer, 8));
  ok(cudaThreadExchangeStreamCaptureMode(&mode));
  ok(cudaStreamEndCapture(stream, &graph));
  ok(cudaGraphDestroy(graph));
  ok(cudaFree(pointer));
  cudaGetLastError();
}

TEST_CASE("graph double: a capture must be ended where it began, with everything joined") {
  const Clean clean;
  const TestStream main, side;
  const TestEvent fork;
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(main, &graph) == cudaErrorIllegalState);
  CHECK(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal) ==
        cudaErrorStreamCaptureUnsupported);
  cudaGetLastError();
  ok(cudaStreamBeginCapture(main, cudaStreamCaptureModeGlobal));
  ok(cudaEventRecord(fork, main));
  ok(cudaStreamWaitEvent(side, fork, 0));
  run(side, "lost", [] {});
  CHECK(cudaStreamEndCapture(main, &graph) == cudaErrorStreamCaptureUnjoined);
  CHECK(cudaEventSynchronize(fork) == cudaErrorCapturedEvent);
  cudaGetLastError();
}

TEST_CASE("graph double: memory of a graph lives from its allocation node to its free") {
  const Clean clean;
  const TestStream stream;
  DeviceArray<int> out(4);
  void* scratch = nullptr;
  TestGraph graph;
  graph.begin(stream);
  ok(cudaMallocAsync(&scratch, 16, stream));
  ok(cudaMemsetAsync(scratch, 0, 8, stream));
  ok(cudaMemcpyAsync(out.data, scratch, 16, cudaMemcpyDeviceToDevice, stream));
  ok(cudaFreeAsync(scratch, stream));
  graph.end(stream);
  for (int launch = 0; launch < 3; ++launch) {
    ok(cudaGraphLaunch(graph.exec, stream));
    ok(cudaStreamSynchronize(stream));
    CHECK(out.host() == std::vector<int>{0, 0, -1, -1});  // fresh at every launch
  }
  // Memory from outside cannot be freed by a graph.
  void* outside = nullptr;
  ok(cudaMallocAsync(&outside, 16, stream));
  ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  CHECK(cudaFreeAsync(outside, stream) == cudaErrorInvalidValue);
  cudaGraph_t none = nullptr;
  CHECK(cudaStreamEndCapture(stream, &none) == cudaErrorStreamCaptureInvalidated);
  ok(cudaFreeAsync(outside, stream));
  ok(cudaStreamSynchronize(stream));
  cudaGetLastError();
}

TEST_CASE("graph double: memory that a launch leaves has to be freed before the next") {
  const Clean clean;
  const TestStream stream;
  for (bool automatic : {false, true}) {
    void* kept = nullptr;
    TestGraph graph;
    graph.begin(stream);
    ok(cudaMallocAsync(&kept, 16, stream));
    ok(cudaMemsetAsync(kept, 1, 16, stream));
    graph.end(stream, automatic ? cudaGraphInstantiateFlagAutoFreeOnLaunch : 0);
    ok(cudaGraphLaunch(graph.exec, stream));
    const cudaError_t second = cudaGraphLaunch(graph.exec, stream);
    CHECK(second == (automatic ? cudaSuccess : cudaErrorInvalidValue));
    ok(cudaFreeAsync(kept, stream));
    ok(cudaGraphLaunch(graph.exec, stream));
    ok(cudaFreeAsync(kept, stream));
    ok(cudaStreamSynchronize(stream));
    cudaGetLastError();
  }
}

TEST_CASE("graph double: an update takes the same nodes with other arguments") {
  const Clean clean;
  const TestStream stream;
  DeviceArray<int> array(2);
  int* const data = array.data;
  TestGraph first, second, longer;
  for (auto [graph, value] : {std::pair{&first, 1}, {&second, 2}, {&longer, 3}}) {
    graph->begin(stream);
    run(stream, "set", [data, value] { data[0] = data[1] = value; });
    if (value == 3) ok(cudaMemsetAsync(data, 0, 4, stream));
    graph->end(stream);
  }
  cudaGraphExecUpdateResultInfo info;
  ok(cudaGraphExecUpdate(first.exec, second.graph, &info));
  ok(cudaGraphLaunch(first.exec, stream));
  ok(cudaStreamSynchronize(stream));
  CHECK(array.host() == std::vector<int>{2, 2});
  CHECK(cudaGraphExecUpdate(first.exec, longer.graph, &info) == cudaErrorGraphExecUpdateFailure);
  CHECK(info.result == cudaGraphExecUpdateErrorTopologyChanged);
  cudaGetLastError();
}

}  // namespace
}  // namespace ditto::emulation
