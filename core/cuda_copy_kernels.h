// Copies and fills on one CUDA device. Defined in kernels/copy.cu: core calls them, but kernels
// live above it.
#pragma once

#include "core/cuda_context.h"
#include "core/on_device.h"
#include "core/view.h"

namespace ditto {

// Both views on the context's device; any strides and dtypes.
void copy_on_device(CudaContext& ctx, const View& src, const View& dst);
void fill_on_device(CudaContext& ctx, double value, const View& dst);

}  // namespace ditto
