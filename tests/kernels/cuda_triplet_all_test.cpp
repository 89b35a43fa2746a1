#include "kernels/triplet_all.h"

#include "tests/kernels/cuda_parity.h"
#include "tests/support/small_pair_tiles.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

TEST_CASE("triplet_all: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const SmallPairTiles tiles(int64_t{4} << 10);  // 25 rows of 40 floats, 12 of doubles
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

TEST_CASE("triplet_all: a row that is NaN makes NaN of whoever meets it, on CUDA as on the CPU",
          "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  Array x = random_array({6, 2}, Dtype::F32, 1), classes({2, 6}, Dtype::I64);
  x.data<float>()[4] = NAN;  // of row 2
  const Array g = random_array({6}, Dtype::F32, 2), rows({6}, Dtype::F32);
  for (int64_t i = 0; i < 6; ++i) {
    classes.data<int64_t>()[i] = i / 3 * 3;
    classes.data<int64_t>()[6 + i] = i / 3 * 3 + 3;
  }
  const auto forward = [](auto& ctx, const Views& in, const Views& out) {
    triplet_all_forward(ctx, {}, in[0], in[1], out[0], out[1]);
  };
  expect_same_on_cuda({x, classes}, {rows, rows}, 1e-6, forward);
  Array loss = rows, active = rows;
  CpuContext cpu{.threads = 1};
  forward(cpu, {host_view(x), host_view(classes)}, {host_view(loss), host_view(active)});
  for (int64_t i = 0; i < 6; ++i) CHECK(std::isnan(loss.at(i)));
  expect_same_on_cuda({x, classes, g}, {Array(x.shape, Dtype::F32)}, 1e-6,
                      [](auto& ctx, const Views& in, const Views& out) {
                        triplet_all_backward(ctx, {}, in[0], in[1], in[2], out[0]);
                      });
}

#endif  // DITTO_HAS_CUDA
