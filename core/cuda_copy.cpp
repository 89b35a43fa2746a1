#include "core/cuda_copy.h"

#include <optional>

#include "core/graph_capture.h"
#include "core/on_device.h"

namespace ditto {
namespace {

// A contiguous view of fresh memory like `shape`, kept in `storage`.
View scratch(std::optional<Storage>& storage, const Shape& shape, Dtype dtype, Device device) {
  storage.emplace(shape.numel() * size_of(dtype), device);
  return {storage->data(), dtype, device, shape, contiguous_strides(shape)};
}

size_t bytes_of(const View& view) {
  return static_cast<size_t>(view.numel() * size_of(view.dtype));
}

// Contiguous, one dtype, different devices: each stream waits for the other, so that neither side
// is reused too early.
void copy_to_peer(const View& src, const View& dst) {
  refuse_capture("a copy between devices", "a graph belongs to one");
  CudaContext &from = cuda_context(src.device.index), &to = cuda_context(dst.device.index);
  Event ready(src.device.index), done(dst.device.index);
  ready.record(from.stream());
  ready.make_wait(to.stream());
  cuda_check(cudaMemcpyPeerAsync(dst.data, dst.device.index, src.data, src.device.index,
                                 bytes_of(src), to.stream()),
             "cudaMemcpyPeerAsync of", bytes_of(src), "bytes");
  done.record(to.stream());
  done.make_wait(from.stream());
}

// Contiguous, one dtype, host to device or back.
void transfer(const View& src, const View& dst) {
  const bool up = dst.device.is_cuda();
  refuse_capture(up ? "a copy from the host" : "a copy to the host",
                 "host and device have to wait");
  CudaContext& ctx = cuda_context(up ? dst.device.index : src.device.index);
  cuda_check(cudaMemcpyAsync(dst.data, src.data, bytes_of(src),
                             up ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost, ctx.stream()),
             up ? "cudaMemcpyAsync to the device of" : "cudaMemcpyAsync to the host of",
             bytes_of(src), "bytes");
  ctx.synchronize();  // the host may now read what arrived, or reuse what was sent
}

}  // namespace

void copy_view_cuda(const View& src, const View& dst) {
  check(src.shape == dst.shape, "[copy] shapes differ:", src.shape, "and", dst.shape);
  if (dst.numel() == 0) return;
  if (src.device == dst.device) {
    copy_on_device(cuda_context(dst.device.index), src, dst);
    return;
  }
  // Converted and packed at the source, so that the fewest bytes travel; unpacked at the target.
  std::optional<Storage> packed, arrived;
  View from = src, to = dst;
  if (src.dtype != dst.dtype || !src.is_contiguous()) {
    from = scratch(packed, src.shape, dst.dtype, src.device);
    copy_view(src, from);
  }
  if (!dst.is_contiguous()) to = scratch(arrived, dst.shape, dst.dtype, dst.device);
  if (from.device.is_cuda() && to.device.is_cuda())
    copy_to_peer(from, to);
  else
    transfer(from, to);
  if (!dst.is_contiguous()) copy_view(to, dst);
}

AsyncCopy::AsyncCopy(const Tensor& source, const Stream& copy_stream)
    : source_(source.detach()), device_(copy_stream.device()), done_(copy_stream.device()) {
  check(source.defined() && source.device().is_cpu() && source.is_contiguous(),
        "[copy] needs a contiguous tensor on the CPU, got", source);
  refuse_capture("a copy in the background", "it has a stream of its own");
  CudaContext& ctx = cuda_context(device_);
  target_ = Tensor::empty(source.shape(), source.dtype(), ctx.device());
  // The target's bytes may still be in use by what freed them, in the order of the compute stream.
  Event allocated(device_);
  allocated.record(ctx.stream());
  allocated.make_wait(copy_stream.get());
  const View from = source_.view(), to = target_.view();
  cuda_check(cudaMemcpyAsync(to.data, from.data, bytes_of(from), cudaMemcpyHostToDevice,
                             copy_stream.get()),
             "cudaMemcpyAsync to the device of", bytes_of(from), "bytes");
  done_.record(copy_stream.get());
}

AsyncCopy::~AsyncCopy() {
  try {
    done_.synchronize();
  } catch (const Error&) {  // the device failed; whoever waits for the stream is told
  }
}

Tensor AsyncCopy::get() const {
  done_.make_wait(cuda_context(device_).stream());
  return target_;
}

}  // namespace ditto
