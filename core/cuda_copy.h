// Copies that involve a CUDA device.
#pragma once

#include "core/cuda_copy_kernels.h"
#include "core/cuda_stream.h"
#include "core/tensor.h"

namespace ditto {

// copy_view (core/view.h) where one side or both are on a CUDA device. Copies to and from the host
// are over when it returns; copies on a device are in the order of its stream.
void copy_view_cuda(const View& src, const View& dst);

// A host tensor on its way to a device, on a copy stream of its own beside the compute stream.
// Keeps both tensors alive and, when destroyed, waits for the copy: the host tensor may then be
// overwritten. Runs beside other work only if the host tensor is pinned (Tensor::empty_pinned);
// correct in any case.
class AsyncCopy {
 public:
  // `source`: contiguous, on the CPU. Not to be written to before this object is destroyed.
  AsyncCopy(const Tensor& source, const Stream& copy_stream);
  ~AsyncCopy();
  AsyncCopy(const AsyncCopy&) = delete;
  AsyncCopy& operator=(const AsyncCopy&) = delete;

  // The copy, for work that the calling thread starts from now on.
  Tensor get() const;

 private:
  Tensor source_, target_;
  int device_;
  Event done_;
};

}  // namespace ditto
