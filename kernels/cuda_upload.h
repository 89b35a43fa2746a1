// CudaUpload: the tables that a launch needs (one record per image or row of a batch), too large
// for its arguments, brought to the device without waiting.
//
// They are gathered and sent by one asynchronous copy (core/cuda_staging.h). A captured step
// cannot contain one: its tables are made per step.
#pragma once

#include <cstring>
#include <type_traits>
#include <vector>

#include "core/cuda_context.h"
#include "core/pool.h"

namespace ditto::kernels {

class CudaUpload {
 public:
  // Where the values will lie behind what send() returns, in bytes; a multiple of 16.
  template <class T>
  size_t add(const T* values, size_t count) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 16);
    const size_t at = bytes_.size(), size = count * sizeof(T);
    bytes_.resize(at + (size + 15) / 16 * 16);
    if (size > 0) std::memcpy(bytes_.data() + at, values, size);
    return at;
  }
  template <class T>
  size_t add(const std::vector<T>& values) {
    return add(values.data(), values.size());
  }
  // Room for `size` bytes that kernels write; add everything else first.
  size_t reserve(size_t size) {
    const size_t at = bytes_.size() + reserved_;
    reserved_ += (size + 15) / 16 * 16;
    return at;
  }
  // Device memory with everything that was added: the context's workspace, for kernels launched
  // before its next use.
  char* send(CudaContext& ctx) const;

 private:
  PoolVector<char> bytes_;
  size_t reserved_ = 0;  // behind them
};

}  // namespace ditto::kernels
