// Memory, streams and copies in the background.
#include "core/cuda_memory.h"

#include "autograd/ops.h"
#include "core/cuda_copy.h"
#include "core/current_op.h"
#include "core/on_device.h"
#include "kernels/elementwise.h"
#include "tests/support/cuda.h"

namespace ditto {
namespace {

using testing::contains;
using testing::kCuda;

}  // namespace

TEST_CASE("cuda memory: statistics count what tensors hold", "[gpu]") {
  DITTO_NEEDS_CUDA();
  release_cached_memory(kCuda);  // what earlier tests of this process left
  const MemoryStats before = memory_stats(kCuda);
  reset_peak_memory(kCuda);
  {
    const Tensor a = Tensor::empty({1000}, Dtype::F32, kCuda);
    CHECK(memory_stats(kCuda).current == before.current + 4000);
    const Tensor b = Tensor::empty({50}, Dtype::F64, kCuda);
    CHECK(memory_stats(kCuda).current == before.current + 4400);
    CHECK(memory_stats(kCuda).system_allocations == before.system_allocations + 2);
  }
  CHECK(memory_stats(kCuda).current == before.current);
  CHECK(memory_stats(kCuda).peak == before.current + 4400);
  release_cached_memory(kCuda);
  CHECK(memory_stats(kCuda).cached == before.cached);
  CHECK(memory_stats(kCpu).current >= 0);
}

TEST_CASE("cuda memory: too large a tensor names the operation, the size and what is held",
          "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Tensor held = Tensor::zeros({1 << 20}, Dtype::F32, kCuda);
  const CurrentOp op("conv2d");
  const int64_t bytes = int64_t{1} << 46;
  try {
    Tensor::empty({bytes}, Dtype::U8, kCuda);
    FAIL("2^46 bytes were given out");
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK_THAT(text, contains("out of memory in conv2d: asked for " + std::to_string(bytes)));
    CHECK_THAT(text, contains("cuda:0"));
    CHECK_THAT(text, contains("tensors hold " + std::to_string(memory_stats(kCuda).current)));
  }
  // The device still works.
  CHECK(held.to_vector<float>()[77] == 0);
}

TEST_CASE("cuda memory: the current operation is the innermost one", "[gpu]") {
  CHECK(current_op() == nullptr);
  {
    const CurrentOp outer("outer");
    {
      const CurrentOp inner("inner");
      CHECK(std::string(current_op()) == "inner");
    }
    CHECK(std::string(current_op()) == "outer");
  }
  CHECK(current_op() == nullptr);
}

TEST_CASE("cuda memory: the workspace grows and follows the stream", "[gpu]") {
  DITTO_NEEDS_CUDA();
  CudaContext& ctx = cuda_context(0);
  void* small = ctx.workspace(1000);
  CHECK(reinterpret_cast<uintptr_t>(small) % 256 == 0);
  CHECK(ctx.workspace(500) == small);
  CHECK(ctx.workspace(1 << 22) != nullptr);
  const Stream other(0);
  const StreamGuard guard(other);
  CHECK(ctx.stream() == other.get());
  CHECK(ctx.workspace(100) != nullptr);
}

TEST_CASE("cuda streams: an event orders two streams", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Stream side(0);
  Event ready(0), done(0);
  CHECK(ready.reached());
  Tensor x = Tensor::full({1000}, 3, Dtype::F32, kCuda);
  ready.record(cuda_context(0).stream());
  Tensor y;
  {
    const StreamGuard guard(side);
    ready.make_wait(side.get());
    y = Tensor::zeros({1000}, Dtype::F32, kCuda);
    kernels::accumulate(cuda_context(0), x.view(), 2.0, y.view());
    done.record(side.get());
  }
  done.make_wait(cuda_context(0).stream());
  x.fill_(0);
  CHECK(y.to_vector<float>() == std::vector<float>(1000, 6));
  done.synchronize();
  CHECK(done.reached());
  y = Tensor();  // freed on the side stream
  side.synchronize();
}

TEST_CASE("cuda copies: in the background, from pinned and from plain memory", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Stream copies(0);
  for (bool pinned : {true, false}) {
    Tensor batch = pinned ? Tensor::empty_pinned({64, 3}) : Tensor::empty({64, 3});
    CHECK(batch.storage()->pinned() == pinned);
    Tensor total = Tensor::zeros({64, 3}, Dtype::F32, kCuda);
    for (int step = 1; step <= 4; ++step) {
      batch.fill_(step);
      const AsyncCopy copy(batch, copies);
      kernels::accumulate(cuda_context(0), copy.get().view(), 1.0, total.view());
      // Destroying the copy waits for it: only then may the next step write to the batch.
    }
    CHECK(total.to_vector<float>() == std::vector<float>(192, 10));
  }
  CHECK_THROWS_WITH(AsyncCopy(Tensor::zeros({2}, Dtype::F32, kCuda), copies),
                    contains("on the CPU"));
}

TEST_CASE("cuda copies: tensors live as long as their copy is under way", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Stream copies(0);
  std::unique_ptr<AsyncCopy> copy;
  {
    Tensor batch = Tensor::empty_pinned({1 << 16}, Dtype::I32);
    batch.fill_(9);
    copy = std::make_unique<AsyncCopy>(batch, copies);
  }
  // The pinned block is not handed out again before the copy is over.
  const Tensor other = Tensor::empty_pinned({1 << 16}, Dtype::I32).fill_(1);
  const Tensor arrived = copy->get();
  copy.reset();
  CHECK(arrived.to_vector<int32_t>() == std::vector<int32_t>(1 << 16, 9));
}

TEST_CASE("cuda copies: between two devices", "[gpu]") {
  if (cuda_device_count() < 2) DITTO_SKIP("needs two CUDA devices");
  const Device second{DeviceType::Cuda, 1};
  const Tensor x = Tensor::arange(1000).to(kCuda), y = x.to(second);
  CHECK(y.device() == second);
  CHECK(y.to_vector<int64_t>() == x.to_vector<int64_t>());
  Tensor back = Tensor::zeros({500}, Dtype::F32, kCuda);
  back.copy_(y.alias({500}, {2}, 1));
  CHECK(back.to_vector<float>()[3] == 7);
  CHECK_THROWS_WITH(y + x.to(Dtype::F64), contains("[add]"));
}

}  // namespace ditto
