#include "kernels/label_select.h"

#include <algorithm>

#include "core/parallel.h"

namespace ditto::kernels {
namespace {

void check_labels(const View& labels, int64_t ignore, int64_t classes) {
  const int64_t* label = labels.as<int64_t>();
  for (int64_t i = 0; i < labels.numel(); ++i)
    check(label[i] == ignore || (label[i] >= 0 && label[i] < classes), "[label] label", label[i],
          "of row", i, "is outside [0,", classes, ")");
}

}  // namespace

void pick_label(CpuContext&, const View& x, const View& labels, int64_t ignore, const View& y) {
  const int64_t k = x.shape.back();
  check_labels(labels, ignore, k);
  on_float(x.dtype, "pick_label", [&](auto zero) {
    using T = decltype(zero);
    const int64_t* label = labels.as<int64_t>();
    for (int64_t i = 0; i < y.numel(); ++i)
      y.as<T>()[i] = label[i] == ignore ? T(0) : x.as<T>()[i * k + label[i]];
  });
}

void put_label(CpuContext& ctx, const View& x, const View& labels, const View& values, double scale,
               int64_t ignore, const View& y) {
  const int64_t k = y.shape.back();
  check_labels(labels, ignore, k);
  on_float(y.dtype, "put_label", [&](auto zero) {
    using T = decltype(zero);
    const int64_t* label = labels.as<int64_t>();
    const T* from = x.defined() ? x.as<T>() : nullptr;
    const T* value = values.defined() ? values.as<T>() : nullptr;
    T* to = y.as<T>();
    parallel_for(ctx, y.shape.front(), 1 + 16384 / (1 + k), [=](int64_t begin, int64_t end) {
      const T factor = static_cast<T>(scale);
      if (!from) std::fill(to + begin * k, to + end * k, T(0));
      if (from)
        for (int64_t j = begin * k; j < end * k; ++j) to[j] = factor * from[j];
      for (int64_t i = begin; i < end; ++i)
        if (label[i] != ignore) to[i * k + label[i]] = value ? factor * value[i] : T(0);
    });
  });
}

}  // namespace ditto::kernels
