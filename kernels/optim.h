// Optimizer kernels: update many parameters in one call.
#pragma once

#include <span>

#include "core/context.h"
#include "core/view.h"
#include "kernels/optim_math.h"

namespace ditto::kernels {

// One parameter and its state; all views contiguous, of one shape and dtype (f32 or f64).
struct SgdSlot {
  View weight, grad, velocity;
};
struct AdamSlot {
  View weight, grad, first_moment, second_moment;
};
struct EmaSlot {
  View value, average;
};

void sgd_update(CpuContext& ctx, std::span<const SgdSlot> slots, const math::SgdUpdate& rule);
void adam_update(CpuContext& ctx, std::span<const AdamSlot> slots, const math::AdamUpdate& rule);
void ema_update(CpuContext& ctx, std::span<const EmaSlot> slots, const math::EmaUpdate& rule);

// Sum of squares of all elements of all views, in double.
double sum_of_squares(CpuContext& ctx, std::span<const View> views);

// The same on the device of `ctx`: one launch for up to 64 tensors. sum_of_squares waits for its
// result.
void sgd_update(CudaContext& ctx, std::span<const SgdSlot> slots, const math::SgdUpdate& rule);
void adam_update(CudaContext& ctx, std::span<const AdamSlot> slots, const math::AdamUpdate& rule);
void ema_update(CudaContext& ctx, std::span<const EmaSlot> slots, const math::EmaUpdate& rule);
double sum_of_squares(CudaContext& ctx, std::span<const View> views);

}  // namespace ditto::kernels
