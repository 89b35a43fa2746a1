// What the doubles of cuBLAS and cuDNN share.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tests/cuda_emulation/call_stack.h"

namespace ditto::emulation {

// Counts a call and tells whether it was asked to fail (fail_call, DITTO_EMU_FAIL).
bool library_failure(const char* function);
// Reports a call with a stream that is gone or belongs to another device than the handle, or while
// another device is current.
void check_stream(const char* function, int handle_device, cudaStream_t stream,
                  const CallStack& stack);

// Rounded to 10 bits of mantissa, to nearest even, as tensor cores read f32.
float to_tf32(float value);
// bfloat16 bits, rounded to nearest even; and back.
uint16_t to_bf16(float value);
float from_bf16(uint16_t bits);

}  // namespace ditto::emulation
