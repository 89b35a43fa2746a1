// CudaFault: bad values that only a kernel sees (a label, an index), turned into the exception that
// the CPU throws, without waiting for the device in every step.
//
// A kernel that meets one writes it to a record in pinned host memory and goes on without touching
// what the value names. CudaContext::synchronize(), which every copy back to the host calls, looks
// at the record, an ordinary load, and throws. So the error comes late, at the next value that is
// read, and with DITTO_CUDA_SYNC=1 at the launch itself. Of several bad values one is named.
#pragma once

#include <cstdint>

namespace ditto {

enum class FaultKind : int32_t { CrossEntropyLabel, GatherIndex, MixLabel, SelectLabel };

struct CudaFault {
  uint32_t taken = 0;  // 1: the other fields are, or are just being, written
  FaultKind kind = FaultKind::CrossEntropyLabel;
  int64_t value = 0, row = 0, limit = 0;  // the value of that row is outside [0, limit)
};

// Throws the error that the record holds, if any, and clears it. Call when no kernel is running.
void throw_cuda_fault(CudaFault& fault);

}  // namespace ditto
