#include "kernels/optim.h"

#include "core/parallel.h"

namespace ditto::kernels {
namespace {
constexpr int64_t kGrain = 16384;
}

void sgd_update(CpuContext& ctx, std::span<const SgdSlot> slots, const math::SgdUpdate& rule) {
  for (const SgdSlot& slot : slots) {
    on_float(slot.weight.dtype, "sgd", [&](auto zero) {
      using T = decltype(zero);
      T *w = slot.weight.as<T>(), *v = slot.velocity.as<T>();
      const T* g = slot.grad.as<T>();
      parallel_for(ctx, slot.weight.numel(), kGrain, [=, &rule](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) rule.update(w[i], g[i], v[i]);
      });
    });
  }
}

void adam_update(CpuContext& ctx, std::span<const AdamSlot> slots, const math::AdamUpdate& rule) {
  for (const AdamSlot& slot : slots) {
    on_float(slot.weight.dtype, "adam", [&](auto zero) {
      using T = decltype(zero);
      T *w = slot.weight.as<T>(), *m = slot.first_moment.as<T>(), *v = slot.second_moment.as<T>();
      const T* g = slot.grad.as<T>();
      parallel_for(ctx, slot.weight.numel(), kGrain, [=, &rule](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) rule.update(w[i], g[i], m[i], v[i]);
      });
    });
  }
}

void ema_update(CpuContext& ctx, std::span<const EmaSlot> slots, const math::EmaUpdate& rule) {
  for (const EmaSlot& slot : slots) {
    on_float(slot.value.dtype, "ema", [&](auto zero) {
      using T = decltype(zero);
      const T* value = slot.value.as<T>();
      T* average = slot.average.as<T>();
      parallel_for(ctx, slot.value.numel(), kGrain, [=, &rule](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) rule.update(value[i], average[i]);
      });
    });
  }
}

double sum_of_squares(CpuContext&, std::span<const View> views) {
  double total = 0;
  for (const View& view : views) {
    on_float(view.dtype, "sum_of_squares", [&](auto zero) {
      using T = decltype(zero);
      const T* x = view.as<T>();
      double s0 = 0, s1 = 0;  // two chains; gradients are small beside activations
      const int64_t n = view.numel();
      int64_t i = 0;
      for (; i + 2 <= n; i += 2) {
        s0 += double(x[i]) * x[i];
        s1 += double(x[i + 1]) * x[i + 1];
      }
      if (i < n) s0 += double(x[i]) * x[i];
      total += s0 + s1;
    });
  }
  return total;
}

}  // namespace ditto::kernels
