#include "kernels/matmul.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "core/storage.h"
#include "kernels/matmul_sizes.h"
#include "kernels/onednn.h"
#include "kernels/through_f32.h"

namespace ditto::kernels {
namespace {

// C = beta C, for an empty sum. beta = 0 overwrites NaN too.
template <class T>
void scale(int64_t count, double beta, T* c) {
  for (int64_t i = 0; i < count; ++i) c[i] = beta == 0 ? T{0} : static_cast<T>(beta * c[i]);
}

void multiply(CpuContext& ctx, const MatmulSizes& s, const float* a, const float* b, float* c,
              const MatmulParams& p) {
  const onednn::ThreadScope scope(ctx);
  onednn::check_status(dnnl_sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', s.m, s.n,
                                  s.k, static_cast<float>(p.alpha), a, p.transpose_a ? s.m : s.k, b,
                                  p.transpose_b ? s.k : s.n, static_cast<float>(p.beta), c, s.n),
                       "sgemm");
}

// Four doubles: an AVX register, or whatever the compiler makes of it elsewhere. (GCC 12 does not
// vectorise the loops over a tile by itself.)
using Vector [[gnu::vector_size(32)]] = double;
constexpr int64_t kLanes = 4;

// A tile of C is kRows x kColumns sums held in registers. B is copied to panels of kColumns columns
// (zeros beyond N), so that the inner loop reads it in order whether or not it is transposed. Every
// sum runs over k in order: results do not depend on the number of threads.
constexpr int64_t kRows = 4, kColumns = 2 * kLanes;

void multiply(CpuContext& ctx, const MatmulSizes& s, const double* a, const double* b, double* c,
              const MatmulParams& p) {
  const int64_t panels = (s.n + kColumns - 1) / kColumns, blocks = (s.m + kRows - 1) / kRows;
  const Storage packed(panels * kColumns * s.k * int64_t{sizeof(double)}, kCpu);
  double* const packed_b = static_cast<double*>(packed.data());
  const int64_t b_row = p.transpose_b ? 1 : s.n, b_column = p.transpose_b ? s.k : 1;
  parallel_for(ctx, panels, 1 + 4096 / (s.k * kColumns), [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel)
      for (int64_t k = 0; k < s.k; ++k)
        for (int64_t j = 0; j < kColumns; ++j) {
          const int64_t column = panel * kColumns + j;
          packed_b[(panel * s.k + k) * kColumns + j] =
              column < s.n ? b[k * b_row + column * b_column] : 0.0;
        }
  });

  const int64_t a_row = p.transpose_a ? 1 : s.k, a_column = p.transpose_a ? s.m : 1;
  const int64_t tile_work = kRows * kColumns * s.k;
  parallel_for(ctx, panels * blocks, 1 + 16384 / tile_work, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t panel = tile / blocks, first_row = tile % blocks * kRows;
      const double* rows[kRows];  // rows past the last repeat it and are not stored
      for (int64_t i = 0; i < kRows; ++i) rows[i] = a + std::min(first_row + i, s.m - 1) * a_row;
      Vector sums[kRows][2] = {};
      const double* b_values = packed_b + panel * s.k * kColumns;
      for (int64_t k = 0; k < s.k; ++k, b_values += kColumns) {
        Vector left, right;
        std::memcpy(&left, b_values, sizeof left);
        std::memcpy(&right, b_values + kLanes, sizeof right);
        for (int64_t i = 0; i < kRows; ++i) {
          const double a_value = rows[i][k * a_column];
          sums[i][0] += a_value * left;
          sums[i][1] += a_value * right;
        }
      }
      const int64_t row_count = std::min(kRows, s.m - first_row);
      const int64_t column_count = std::min(kColumns, s.n - panel * kColumns);
      for (int64_t i = 0; i < row_count; ++i)
        for (int64_t j = 0; j < column_count; ++j) {
          double& out = c[(first_row + i) * s.n + panel * kColumns + j];
          out = p.alpha * sums[i][j / kLanes][j % kLanes] + (p.beta == 0 ? 0.0 : p.beta * out);
        }
    }
  });
}

}  // namespace

MatmulSizes checked_matmul_sizes(Device device, const View& a, const View& b, const View& c,
                                 const MatmulParams& p) {
  check(is_floating(a.dtype), "[matmul] needs dtype f32 or f64, got", a.dtype);
  for (const View* view : {&a, &b, &c}) {
    check(view->defined(), "[matmul] undefined argument");
    check(view->device == device, "[matmul] the kernel runs on", device, "but the argument is on",
          view->device);
    check(view->dtype == a.dtype, "[matmul] dtypes differ:", a.dtype, "and", view->dtype);
    check(view->shape.rank() == 2, "[matmul] needs 2 dimensions, got", view->shape);
    check(view->is_contiguous(), "[matmul] not contiguous:", view->shape, "strides", view->strides);
  }
  const MatmulSizes s{a.shape[p.transpose_a ? 1 : 0], b.shape[p.transpose_b ? 0 : 1],
                      a.shape[p.transpose_a ? 0 : 1]};
  check(b.shape[p.transpose_b ? 1 : 0] == s.k, "[matmul] inner sizes differ: A", a.shape,
        p.transpose_a ? "transposed," : "and", "B", b.shape, p.transpose_b ? "transposed" : "");
  const Shape expected{s.m, s.n};
  check(c.shape == expected, "[matmul] C has shape", c.shape, "but should have", expected);
  return s;
}

void matmul(CpuContext& ctx, const View& a, const View& b, const View& c, const MatmulParams& p) {
  if (c.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) {
      matmul(ctx, f.in(a), f.in(b), p.beta == 0 ? f.out(c) : f.in_out(c), p);
    });
  const MatmulSizes s = checked_matmul_sizes(kCpu, a, b, c, p);
  if (s.m == 0 || s.n == 0) return;
  on_float(a.dtype, "matmul", [&]<class T>(T) {
    if (s.k == 0 || p.alpha == 0) return scale(s.m * s.n, p.beta, c.as<T>());
    multiply(ctx, s, a.as<T>(), b.as<T>(), c.as<T>(), p);
  });
}

}  // namespace ditto::kernels
