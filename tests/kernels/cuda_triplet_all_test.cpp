#include "kernels/triplet_all.h"

#include "tests/kernels/cuda_parity.h"
#include "tests/support/small_pair_tiles.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

TEST_CASE("triplet_all: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const SmallPairTiles tiles(int64_t{8} << 10);  // 40 rows are several
  struct Case {
    int64_t rows, width;
    std::vector<int64_t> sizes;  // of the classes
  };
  const Case cases[] = {{0, 3, {}},
                        {1, 2, {1}},
                        {5, 3, {5}},
                        {40, 7, {1, 20, 19}},
                        // More negatives than a block has threads.
                        {270, 5, std::vector<int64_t>(90, 3)}};
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const Case& c : cases)
      for (const bool squared : {false, true}) {
        if (squared && c.rows > 256) continue;  // takes long where the device is emulated
        INFO(to_string(dtype) << " rows " << c.rows << " squared " << squared);
        const Array x = random_array({c.rows, c.width}, dtype, 1),
                    g = random_array({c.rows}, dtype, 2);
        Array classes({2, c.rows}, Dtype::I64);
        int64_t first = 0;
        for (const int64_t size : c.sizes) {
          for (int64_t i = first; i < first + size; ++i) {
            classes.data<int64_t>()[i] = first;
            classes.data<int64_t>()[c.rows + i] = first + size;
          }
          first += size;
        }
        const TripletAll math{.margin = 0.5, .squared = squared};
        const Array rows({c.rows}, dtype);
        expect_same_on_cuda({x, classes}, {rows, rows}, tolerance_of(dtype, 2e-5),
                            [&](auto& ctx, const Views& in, const Views& out) {
                              triplet_all_forward(ctx, math, in[0], in[1], out[0], out[1]);
                            });
        // The gradient's terms are hundreds of times larger than their sum.
        expect_same_on_cuda({x, classes, g}, {Array(x.shape, dtype)},
                            tolerance_of(dtype, 1e-3, 1e-11),
                            [&](auto& ctx, const Views& in, const Views& out) {
                              triplet_all_backward(ctx, math, in[0], in[1], in[2], out[0]);
                            });
      }
}

#endif  // DITTO_HAS_CUDA
