// What the emulation knows about memory: the memory double tells which regions a device has and
// which bytes the host wrote; the scheduler tells what happens in a launch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/cuda_emulation/simt.h"

namespace ditto::emulation::checker {

// A region of device memory comes and goes; its bytes are uninitialised until written.
void allocate(void* begin, size_t bytes, int device);
void release(void* begin);
// The host, a copy or a library wrote these bytes.
void host_write(void* begin, size_t bytes);

// From the scheduler.
void begin_launch(const LaunchRecord& launch);
void end_launch();
void arguments(const void* begin, size_t bytes);  // a kernel may read its own arguments
void begin_block(uint64_t number, size_t threads);
void end_block();
void shared_array(void* begin, size_t bytes);
void barrier();                                // all threads of the block have met
void sync_warp(unsigned warp, uint32_t mask);  // these lanes of that warp have met

}  // namespace ditto::emulation::checker
