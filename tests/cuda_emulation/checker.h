// What the emulation knows about memory. The memory double tells which regions a device has and
// which bytes the host wrote; the scheduler tells what happens in a launch; the compiler's
// callbacks (checker_callbacks.cpp) tell of every access of kernels compiled with
// -fsanitize=thread. Without such kernels all of this returns at once.
//
// Found, with file and line: races between threads of a block (not separated by a barrier or
// __syncwarp) and between blocks of a launch, reads of device or shared memory that nobody wrote,
// accesses outside of allocations, to released ones and to memory of the host, misaligned vector
// accesses. The rule for races is that of Oclgrind (Price and McIntosh-Smith, IWOCL 2015): all
// blocks of a launch run at once; atomics exclude each other but order nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/cuda_emulation/simt.h"
#include "tests/cuda_emulation/site.h"

namespace ditto::emulation::checker {

// Whether the program holds kernels that report their accesses.
bool active();

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
void shared_array(void* begin, size_t bytes, const char* name);
void barrier();                                // all threads of the block have met
void sync_warp(unsigned warp, uint32_t mask);  // these lanes of that warp have met

// From the callbacks.
enum class Access { kRead, kWrite, kAtomic };
void start();  // before main()
void access(const void* address, size_t bytes, Access kind, const void* pc, Site site = {"", 0});

}  // namespace ditto::emulation::checker
