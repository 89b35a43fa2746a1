#include "data/upload.h"

#ifdef DITTO_HAS_CUDA
#include "core/cuda_copy.h"
#endif

namespace ditto::data {

// Two batches of images and paste weights.
[[maybe_unused]] static constexpr size_t kInFlight = 4;

Upload::Upload(std::span<const Tensor> tensors) {
  int64_t numbers = 0;
  Dtype dtype = Dtype::U8;
  for (const Tensor& tensor : tensors) {
    shapes_.push_back(tensor.defined() ? tensor.shape() : Shape{});
    if (!tensor.defined()) continue;
    numbers += tensor.numel();
    dtype = tensor.dtype();
  }
  if (numbers == 0) return;
  packed_ = Tensor::empty_pinned({numbers}, dtype);
  int64_t at = 0;
  for (const Tensor& tensor : tensors) {
    if (!tensor.defined()) continue;
    copy_view(tensor.view(),
              packed_.alias(tensor.shape(), contiguous_strides(tensor.shape()), at).view());
    at += tensor.numel();
  }
}

void UploadQueue::start(Upload& upload) {
  if (!upload.packed_.defined() || upload.copy_) return;
#ifdef DITTO_HAS_CUDA
  if (!stream_) stream_ = std::make_shared<Stream>(device_.index);
  upload.copy_ = std::make_shared<AsyncCopy>(upload.packed_, *stream_);
#else
  check(false, "[device] this build has no CUDA support:", device_);
#endif
}

std::vector<Tensor> UploadQueue::take(Upload upload) {
  start(upload);
  std::vector<Tensor> out(upload.shapes_.size());
#ifdef DITTO_HAS_CUDA
  if (!upload.copy_) return out;
  const Tensor packed = upload.copy_->get();
  int64_t at = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const Shape& shape = upload.shapes_[i];
    if (shape.rank() == 0) continue;
    out[i] = packed.alias(shape, contiguous_strides(shape), at);
    at += shape.numel();
  }
  taken_.push_back(std::move(upload.copy_));
  if (taken_.size() > kInFlight) taken_.pop_front();  // which waits for that copy
#endif
  return out;
}

}  // namespace ditto::data
