#include "core/view.h"

#include <cstring>

#include "core/convert.h"
#include "core/parallel.h"

#ifdef DITTO_HAS_CUDA
#include "core/cuda_copy.h"
#endif

namespace ditto {
namespace {

// Rows of the last dimension are copied in a tight loop; the outer index is unravelled once per
// row.
template <class From, class To>
void copy_rows(const View& src, const View& dst) {
  const int rank = dst.shape.rank();
  const int64_t inner = rank ? dst.shape[rank - 1] : 1;
  if (inner == 0) return;
  const int64_t from_step = rank ? src.strides[rank - 1] : 1;
  const int64_t to_step = rank ? dst.strides[rank - 1] : 1;
  const From* from = src.as<From>();
  To* to = dst.as<To>();
  parallel_for(cpu_context(), dst.numel() / inner, 1 + 16384 / inner,
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   int64_t a = 0, b = 0, rest = row;
                   for (int d = rank - 2; d >= 0; --d) {
                     const int64_t i = rest % dst.shape[d];
                     rest /= dst.shape[d];
                     a += i * src.strides[d];
                     b += i * dst.strides[d];
                   }
                   for (int64_t i = 0; i < inner; ++i)
                     to[b + i * to_step] = convert<To>(from[a + i * from_step]);
                 }
               });
}

}  // namespace

bool View::is_contiguous() const {
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

void copy_view(const View& src, const View& dst) {
  check(src.shape == dst.shape, "[copy] shapes differ:", src.shape, "and", dst.shape);
#ifdef DITTO_HAS_CUDA
  if (src.device.is_cuda() || dst.device.is_cuda()) return copy_view_cuda(src, dst);
#endif
  check(src.device.is_cpu() && dst.device.is_cpu(),
        "[copy] this build has no CUDA support:", src.device, dst.device);
  if (dst.numel() == 0) return;
  if (src.dtype == dst.dtype && src.is_contiguous() && dst.is_contiguous()) {
    const int64_t bytes = size_of(src.dtype);
    parallel_for(cpu_context(), src.numel() * bytes, 1 << 18, [&](int64_t begin, int64_t end) {
      std::memcpy(static_cast<char*>(dst.data) + begin, static_cast<const char*>(src.data) + begin,
                  static_cast<size_t>(end - begin));
    });
    return;
  }
  on_any(src.dtype, [&](auto from) {
    on_any(dst.dtype, [&](auto to) { copy_rows<decltype(from), decltype(to)>(src, dst); });
  });
}

}  // namespace ditto
