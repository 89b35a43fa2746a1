// Graphs: captured work, its memory, what cannot be captured.
#include "core/cuda_graph.h"

#include "autograd/ops.h"
#include "core/cuda_copy.h"
#include "core/cuda_memory.h"
#include "core/on_device.h"
#include "core/rng.h"
#include "kernels/optim.h"
#include "nn/linear.h"
#include "tests/support/cuda.h"

namespace ditto {
namespace {

using testing::contains;
using testing::kCuda;

Tensor on_cuda(const std::vector<float>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(kCuda);
}

}  // namespace

TEST_CASE("cuda graph: a replay computes with what its inputs hold by then", "[gpu]") {
  DITTO_NEEDS_CUDA();
  Tensor x = on_cuda({1, 2, 3});
  exp(x * 2.0 + 1.0);  // once without
  CudaGraph graph(0);
  Tensor y;
  CHECK(!graph.captured());
  CHECK_THROWS_WITH(graph.replay(), contains("nothing was captured"));
  graph.capture([&] { y = x * 2.0 + 1.0; });
  REQUIRE(graph.captured());
  CHECK(graph.nodes() >= 2);
  CHECK(graph.memory_bytes() > 0);
  graph.replay();
  CHECK(y.to_vector<float>() == std::vector<float>{3, 5, 7});
  x.copy_(on_cuda({-1, 0, 10}));
  graph.replay();
  CHECK(y.to_vector<float>() == std::vector<float>{-1, 1, 21});
  CHECK_THROWS_WITH(graph.capture([] {}), contains("captured once"));
  // Work outside goes on as before, between replays too.
  const Tensor z = y + 1.0;
  x.fill_(0);
  graph.replay();
  CHECK(y.to_vector<float>() == std::vector<float>{1, 1, 1});
  CHECK(z.to_vector<float>() == std::vector<float>{0, 2, 22});
}

TEST_CASE("cuda graph: its memory is its own, is used again inside, and goes back", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const int64_t before = memory_stats(kCuda).current;
  Tensor kept;
  {
    const Tensor x = Tensor::ones({1 << 16}, Dtype::F32, kCuda);
    Tensor y;
    CudaGraph graph(0);
    graph.capture([&] {
      y = x;
      for (int i = 0; i < 20; ++i) y = y * 2.0;  // two blocks in turns
    });
    CHECK(graph.memory_bytes() <= 3 * (1 << 18));
    // What is made after the capture does not get the graph's memory, though nobody holds it.
    const Tensor other = Tensor::zeros({1 << 16}, Dtype::F32, kCuda);
    graph.replay();
    CHECK(other.to_vector<float>()[5] == 0);
    CHECK(y.to_vector<float>()[5] == 1 << 20);
    kept = y;
  }
  // A result outlives the graph.
  CHECK(kept.to_vector<float>()[7] == 1 << 20);
  kept = Tensor();
  CHECK(memory_stats(kCuda).current == before);
}

TEST_CASE("cuda graph: what a capture lets go of stays for the replays", "[gpu]") {
  DITTO_NEEDS_CUDA();
  Tensor x = on_cuda({1, 2});
  Tensor y;
  CudaGraph graph(0);
  graph.capture([&] {
    y = x + 1.0;
    x = Tensor();  // made outside, used inside
  });
  const Tensor other = on_cuda({7, 7});
  graph.replay();
  CHECK(y.to_vector<float>() == std::vector<float>{2, 3});
  CHECK(other.to_vector<float>() == std::vector<float>{7, 7});
}

TEST_CASE("cuda graph: products and scratch memory are captured, and are not those of other work",
          "[gpu]") {
  DITTO_NEEDS_CUDA();
  Rng rng(3);
  std::vector<float> values(64);
  for (float& v : values) v = static_cast<float>(rng.uniform());
  const Tensor a = Tensor::from(values, {8, 8}).to(kCuda);
  const auto expected = matmul(matmul(a, a), a).to_vector<float>();
  Tensor y;
  CudaGraph graph(0);
  void* const workspace = cuda_context(0).workspace(1000);
  graph.capture([&] {
    CHECK(cuda_context(0).workspace(1000) != workspace);
    y = matmul(matmul(a, a), a);
  });
  CHECK(cuda_context(0).workspace(1000) == workspace);
  graph.replay();
  CHECK(y.to_vector<float>() == expected);
  CHECK(matmul(matmul(a, a), a).to_vector<float>() == expected);
}

TEST_CASE("cuda graph: host actions and numbers follow each replay, not the capture", "[gpu]") {
  DITTO_NEEDS_CUDA();
  int64_t calls = 0, drawn = 10;
  Tensor mask = Tensor::empty({64}, Dtype::F32, kCuda);
  const auto fill = [&](const kernels::RandomStream& stream) {
    kernels::fill_dropout_mask(cuda_context(0), stream, 0.5, mask.view());
  };
  CudaGraph graph(0);
  graph.capture([&] {
    REQUIRE(current_capture());
    current_capture()->at_each_replay([&] { ++calls; });
    fill({.seed = 5, .sample_at = current_capture()->number([&] { return drawn++; })});
  });
  CHECK(!current_capture());
  CHECK(calls == 0);
  CHECK(drawn == 10);
  for (int64_t i = 0; i < 3; ++i) {
    graph.replay();
    const auto replayed = mask.to_vector<float>();
    fill({.seed = 5, .sample = static_cast<uint32_t>(10 + i)});
    CHECK(replayed == mask.to_vector<float>());
    CHECK(calls == i + 1);
  }
}

TEST_CASE("cuda graph: what cannot be captured is named and leaves the device usable", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Tensor x = on_cuda({1, 2, 3});
  Tensor mask = Tensor::empty({8}, Dtype::F32, kCuda);
  const auto refused = [&](const std::function<void()>& work) -> std::string {
    CudaGraph graph(0);
    std::string message;
    try {
      graph.capture(work);
    } catch (const Error& error) {
      message = error.what();
    }
    CHECK(!graph.captured());
    CHECK(!current_capture());
    CHECK((x + 1.0).to_vector<float>() == std::vector<float>{2, 3, 4});
    return message;
  };
  CHECK_THAT(refused([&] { (x + 1.0).item(); }), contains("item"));
  CHECK_THAT(refused([&] { sum(x).item(); }),
             contains("[cuda graph] a copy to the host cannot be captured"));
  CHECK_THAT(refused([&] { on_cuda({1}); }), contains("a copy from the host cannot be captured"));
  CHECK_THAT(refused([&] { synchronize(kCuda); }), contains("a wait for the device"));
  CHECK_THAT(refused([&] { kernels::fill_dropout_mask(cuda_context(0), {}, 0.5, mask.view()); }),
             contains("dropout cannot be captured: every replay would draw the same numbers"));
  CHECK_THAT(refused([&] {
               const View view = x.view();
               kernels::sum_of_squares(cuda_context(0), {&view, 1});
             }),
             contains("the norm of the gradients cannot be captured"));
  CHECK_THAT(refused([&] { CudaGraph(0).capture([] {}); }), contains("a capture is under way"));
  // An error of the work itself, and one that the driver reports.
  CHECK_THAT(refused([&] { fail("[test] mine"); }), contains("[test] mine"));
  CHECK_THAT(refused([&] { cuda_check(cudaStreamSynchronize(cuda_context(0).stream()), "wait"); }),
             contains("cudaErrorStreamCaptureUnsupported"));
}

TEST_CASE("cuda graph: a bad label is reported after a replay", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Tensor logits = Tensor::zeros({2, 3}, Dtype::F32, kCuda);
  Tensor labels = Tensor::from(std::vector<int64_t>{0, 1}, {2}).to(kCuda), rows;
  cross_entropy_rows(logits, labels, {});
  CudaGraph graph(0);
  graph.capture([&] { rows = cross_entropy_rows(logits, labels, {}); });
  graph.replay();
  synchronize(kCuda);
  labels.fill_(9);
  graph.replay();
  CHECK_THROWS_WITH(rows.to_vector<float>(), contains("[cross_entropy] label 9 of row"));
  labels.fill_(2);
  graph.replay();
  CHECK_NOTHROW(rows.to_vector<float>());
}

}  // namespace ditto
