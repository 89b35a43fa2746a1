// Tensors of a batch on their way to a device: packed into one pinned buffer by the thread that
// made them, and brought there by one copy, beside the compute stream.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace ditto {
class AsyncCopy;
class Stream;
}  // namespace ditto

namespace ditto::data {

class Upload {
 public:
  Upload() = default;
  // Copies `tensors`: contiguous, on the CPU, of one dtype. Undefined ones stay so.
  explicit Upload(std::span<const Tensor> tensors);

 private:
  friend class UploadQueue;
  std::vector<Shape> shapes_;  // of rank 0: undefined
  Tensor packed_;              // undefined: nothing to send
  std::shared_ptr<AsyncCopy> copy_;
};

// For the thread that gives the device its work.
class UploadQueue {
 public:
  explicit UploadQueue(Device device) : device_(device) {}

  // Begins the copy. Work that is given to the device from now on runs beside it.
  void start(Upload& upload);
  // The tensors on the device, for work that the calling thread starts from now on. Waits only if
  // the device is several uploads behind.
  std::vector<Tensor> take(Upload upload);

 private:
  Device device_;
  std::shared_ptr<Stream> stream_;                // made when it is needed
  std::deque<std::shared_ptr<AsyncCopy>> taken_;  // what may still be read by the device
};

}  // namespace ditto::data
