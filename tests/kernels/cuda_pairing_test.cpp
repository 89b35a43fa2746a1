#include "kernels/pairing.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

// Boxes on a coarse grid, so that equal ranks are common, a few of them empty or NaN.
Array some_boxes(const Shape& shape, Dtype dtype, uint64_t seed) {
  Array out(shape, dtype);
  Rng rng(seed);
  for (int64_t i = 0; i < shape.numel(); i += 4) {
    const double x = static_cast<double>(rng.below(10)), y = static_cast<double>(rng.below(10));
    const double w = static_cast<double>(rng.below(6)) + 2,
                 h = static_cast<double>(rng.below(6)) + 2;
    const uint64_t kind = rng.below(30);
    out.set(i, kind == 0 ? NAN : x), out.set(i + 1, y);
    out.set(i + 2, kind == 1 ? x : x + w), out.set(i + 3, y + h);
  }
  return out;
}

}  // namespace

TEST_CASE("pairing: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const PairingOptions all[] = {{},
                                {.threshold = 0.2},
                                {.similarity = Similarity::Distance, .threshold = 0.8},
                                {.threshold = 0.1, .same_label = true},
                                {.threshold = 0.1, .min_area_ratio = 0.8}};
  uint64_t seed = 0;
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const PairingOptions& options : all) {
      ++seed;
      INFO(to_string(dtype) << " threshold " << options.threshold << " seed " << seed);
      const int64_t batch = 6, m = 3, n = seed == 1 ? 150 : 17, other = 11;
      Array counts({batch}, Dtype::I32), visible({batch, 4}, dtype);
      for (int64_t r = 0; r < batch; ++r) {
        counts.data<int32_t>()[r] = static_cast<int32_t>(r == 2 ? 0 : r == 3 ? 9999 : n - r);
        for (int64_t c = 0; c < 4; ++c)
          visible.set(r * 4 + c, c < 2 ? static_cast<double>(r % 3) : 18.0);
      }
      const std::vector<Array> in{some_boxes({batch, n, 4}, dtype, seed),
                                  some_boxes({batch, other, 4}, dtype, seed + 100),
                                  counts,
                                  visible,
                                  random_indices({batch, n}, Dtype::I64, seed, 2),
                                  random_indices({batch, other}, Dtype::I64, seed, 2)};
      expect_same_on_cuda(in,
                          {Array({batch, n}, Dtype::I32), Array({batch, n}, Dtype::I32),
                           Array({batch / m}, Dtype::I32)},
                          0, [&](auto& ctx, const Views& views, const Views& out) {
                            const PairingBoxes a{views[0], views[2], views[4], views[3]};
                            const PairingBoxes b{views[1], {}, views[5], {}};
                            pair_boxes(ctx, a, b, options, out[0]);
                            align_star(ctx, a, m, options, out[1], out[2]);
                          });
    }
}

TEST_CASE("pairing on CUDA: ranks that differ by roundings come in the CPU's order", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  // Every box of b lies as far from its box of a as its neighbour does, on the other side: but for
  // roundings their ranks are equal.
  const int64_t batch = 16, pairs = 24;
  Array a({batch, pairs, 4}, Dtype::F64), b({batch, 2 * pairs, 4}, Dtype::F64);
  Rng rng(1);
  for (int64_t i = 0; i < batch * pairs; ++i) {
    const double x = rng.uniform(0, 30), y = rng.uniform(0, 30), dx = rng.uniform(0.1, 1),
                 dy = rng.uniform(0.1, 1);
    const double box[] = {x, y, x + rng.uniform(4, 9), y + rng.uniform(4, 9)};
    for (int64_t c = 0; c < 4; ++c) {
      a.set(i * 4 + c, box[c]);
      b.set(i * 8 + c, box[c] + (c % 2 == 0 ? dx : dy));
      b.set(i * 8 + 4 + c, box[c] - (c % 2 == 0 ? dx : dy));
    }
  }
  for (const PairingOptions& options :
       {PairingOptions{.threshold = 0.1},
        PairingOptions{.similarity = Similarity::Distance, .threshold = 2}})
    expect_same_on_cuda({a, b}, {Array({batch, pairs}, Dtype::I32)}, 0,
                        [&](auto& ctx, const Views& views, const Views& out) {
                          PairingBoxes rows, columns;
                          rows.boxes = views[0], columns.boxes = views[1];
                          pair_boxes(ctx, rows, columns, options, out[0]);
                        });
}

TEST_CASE("pairing on CUDA: nothing to pair", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  expect_same_on_cuda(
      {Array({2, 0, 4}, Dtype::F32), some_boxes({2, 3, 4}, Dtype::F32, 1)},
      {Array({2, 0}, Dtype::I32), Array({2, 3}, Dtype::I32), Array({1}, Dtype::I32)}, 0,
      [&](auto& ctx, const Views& views, const Views& out) {
        PairingBoxes none, some;
        none.boxes = views[0], some.boxes = views[1];
        pair_boxes(ctx, none, some, {}, out[0]);
        pair_boxes(ctx, some, none, {}, out[1]);
        align_star(ctx, none, 2, {}, out[0], out[2]);
      });
}

#endif  // DITTO_HAS_CUDA
