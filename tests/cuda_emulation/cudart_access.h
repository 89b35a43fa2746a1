// Bytes that an operation on a stream touches.
#pragma once

#include <cstddef>

namespace ditto::emulation {

struct Access {
  const void* pointer;
  size_t bytes;
  bool write;
  bool host = false;  // may be any host memory
};

}  // namespace ditto::emulation
