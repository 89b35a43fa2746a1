#include <utility>

#include "tests/cuda_emulation/checker.h"
#include "tests/cuda_emulation/device.h"

namespace ditto::emulation {

void launch(cudaStream_t stream, const char* name, dim3 grid, dim3 block, size_t shared_bytes,
            Closure thread_body) {
  launch(stream, name, grid, block, shared_bytes,
         std::function<void()>([closure = std::move(thread_body)] {
           checker::arguments(closure.bound.get(), closure.bytes);
           closure.call(closure.bound.get());
         }));
}

}  // namespace ditto::emulation
