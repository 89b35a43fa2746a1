// What tests ask of the cudart double: seeds, failures, limits, leaks; and what the other doubles
// need from it to place work on a stream.
//
// Environment, read at the first call: DITTO_EMU_SEED (0: submission order, 1: latest first,
// others: random), DITTO_EMU_DEVICES (1; 0: a machine without a device), DITTO_EMU_MEMORY (bytes
// per device), DITTO_EMU_FAIL ("cudaMalloc:17,kernel:3": these calls fail), DITTO_EMU_LEAKS
// ("report": buffers alive when the program ends are findings).
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/cuda_emulation/cudart_access.h"

namespace ditto::emulation {

void set_seed(uint64_t seed);
void set_memory_limit(size_t bytes);
// Adds devices; existing ones stay.
void set_device_count(int count);

// The `nth` call (1: the next one) of the function from now on fails: allocations are out of
// memory, others return cudaErrorUnknown. "kernel" fails an execution: the error is asynchronous
// and sticky.
void fail_call(const std::string& function, int nth = 1);
void clear_failures();
// As no call of CUDA can: the lost context works again.
void clear_sticky_error();
int call_count(const std::string& function);
// Operations that have been submitted and have not run.
uint64_t pending_operations();

// Device and pinned buffers that are alive, one text each: size, device and where they were made.
std::vector<std::string> live_allocations();
// Remembers what is alive; report_leaks() then reports what is alive and was not ("leak").
class LeakCheck {
 public:
  LeakCheck();
  // Synchronises, then reports buffers made since the constructor, grouped by place.
  void report_leaks() const;

 private:
  uint64_t serial_;
};

// For the library doubles: the device of a stream (-1: no such stream), and work on it. Accesses
// are checked against live buffers and against other streams.
int stream_device(cudaStream_t stream);
cudaError_t enqueue(cudaStream_t stream, const std::string& name, std::vector<Access> accesses,
                    std::function<void()> run);
// A kernel, as launch.cuh submits it: `thread_body` is what one CUDA thread does. Errors are left
// in cudaGetLastError().
void launch(cudaStream_t stream, const char* name, dim3 grid, dim3 block, size_t shared_bytes,
            std::function<void()> thread_body);
// For the checker: while a kernel runs, bytes that it touched.
void record_kernel_access(const void* pointer, size_t bytes, bool write);
// Whether all bytes lie in one live buffer of the device.
bool is_device_memory(const void* pointer, size_t bytes, int device);

}  // namespace ditto::emulation
