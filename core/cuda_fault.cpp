#include "core/cuda_fault.h"

#include <utility>

#include "core/error.h"

namespace ditto {

void throw_cuda_fault(CudaFault& record) {
  if (record.taken == 0) return;
  const CudaFault fault = std::exchange(record, CudaFault{});
  switch (fault.kind) {
    case FaultKind::CrossEntropyLabel:
      fail("[cross_entropy] label", fault.value, "of row", fault.row, "is outside [0,", fault.limit,
           ")");
    case FaultKind::GatherIndex:
      fail("[index_select] index", fault.value, "at position", fault.row, "is outside [0,",
           fault.limit, ")");
    case FaultKind::MixLabel:
      fail("[mix_labels] label", fault.value, "of row", fault.row,
           "is outside [0, K), K =", fault.limit);
    case FaultKind::SelectLabel:
      fail("[label] label", fault.value, "of row", fault.row, "is outside [0,", fault.limit, ")");
  }
}

}  // namespace ditto
