#include "core/on_device.h"
#include "kernels/augment.h"

#include "kernels/blur.h"
#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

// Rows of every kind of map, with and without changes of colour and erased areas.
struct Rows {
  std::vector<AugmentRow> rows;
  std::vector<std::vector<ColourChange>> colours;
  std::vector<std::vector<Erase>> erased;

  Rows(int64_t images, int64_t channels) {
    const Affine maps[] = {{},
                           {-1, 0, 11, 0, 1, 0},
                           Affine::translation(-3, 2),
                           {-1, 0, 8, 0, -1, 12},
                           Affine::rotation(0.4).then(Affine::translation(1.3, -2.7)),
                           {1.7, 0, -0.6, 0, 0.8, 0.3},
                           {0.3, 0.1, 2, -0.2, 0.4, 3},
                           {1e300, 1e300, 0, 1e300, -1e300, 0}};
    const std::vector<ColourChange> changes[] = {
        {},
        {{ColourKind::Brightness, 1.3f, {}, {}}},
        {{ColourKind::Contrast, 0.6f, {}, {}}, {ColourKind::Brightness, 0.8f, {}, {}}},
        {{ColourKind::Hue, 0.3f, {}, {}},
         {ColourKind::Contrast, 1.5f, {}, {}},
         {ColourKind::Saturation, 0.2f, {}, {}},
         {ColourKind::Contrast, 0.7f, {}, {}}},
        {{ColourKind::Affine, 1, {0.5f, 2, -1, 1}, {0.1f, 0, 1, 0}}},
        {{ColourKind::Solarize, 0.4f, {}, {}}},
        {blur_change(0.8, 2)},
        {{ColourKind::Contrast, 1.5f, {}, {}},
         blur_change(1.7, 13),
         {ColourKind::Contrast, 0.7f, {}, {}},
         {ColourKind::Hue, 0.3f, {}, {}},
         blur_change(0.5, 1),
         blur_change(3, 30)}};
    const std::vector<Erase> holes[] = {
        {},
        {{{}, {2, 3, 6, 5}}},
        {{Affine::rotation(0.5), {1, 1, 6, 4}}, {Affine::translation(0.2, 0.7), {7, 7, 9, 9}}}};
    for (const Affine& map : maps)
      for (const bool area : {false, true})
        for (const auto& change : changes) {
          const size_t i = rows.size();
          colours.push_back(channels == 1 || channels == 3 ? change : std::vector<ColourChange>{});
          erased.push_back(holes[i % 3]);
          AugmentRow row;
          row.source = static_cast<int64_t>(i * 7) % images;
          row.inverse = map;
          if (i % 4 == 1) row.clip = {1.2, 0, 8.5, 7.1};
          if (area) row.area = {1, 0, 9.7, 8}, row.average = true;
          row.scale = {4, 3, 5, 2};
          row.offset = {-1, 0.5, -2, 0};
          row.fill = {0.4f, 0.45f, 0.5f, 0.1f};
          rows.push_back(row);
        }
    for (size_t i = 0; i < rows.size(); ++i)
      rows[i].colours = colours[i], rows[i].erase = erased[i];
  }
};

}  // namespace

TEST_CASE("augment: CUDA as CPU, every kind of map, colour and erased area", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::U8, Dtype::F32})
    for (const int64_t channels : {1, 2, 3, 4})
      for (const int64_t size : {10, 21}) {
        if (size == 21 && channels % 2 == 0) continue;
        INFO(to_string(dtype) << " channels " << channels << " canvas " << size);
        const Shape images{5, 9, 11, channels};
        const Array x = dtype == Dtype::U8 ? random_indices(images, dtype, 1, 256)
                                           : random_array(images, dtype, 1, 0.3, 0.5);
        const Rows rows(images[0], channels);
        const Array out({static_cast<int64_t>(rows.rows.size()), size - 1, size, channels},
                        Dtype::F32);
        expect_same_on_cuda({x}, {out}, 3e-6, [&](auto& ctx, const Views& in, const Views& views) {
          augment(ctx, in[0], rows.rows, views[0]);
        });
      }
}

TEST_CASE("augment: pixels that are moved and normalised differ by one rounding at most", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  // scale * value + offset is one rounding on a device and two on a CPU without fused operations:
  // with these scales and offsets half an ulp of the product and of the result, together below
  // 2^-23 (1 + |result|).
  std::vector<AugmentRow> rows;
  for (const Affine& map : {Affine{}, Affine{-1, 0, 11, 0, 1, 0}, Affine::translation(-3, 2),
                            Affine{-1, 0, 8, 0, -1, 12}})
    for (int twice = 0; twice < 2; ++twice) {  // the second time with a hole
      AugmentRow row;
      row.source = static_cast<int64_t>(rows.size()) % 5;
      row.inverse = map;
      row.scale = {4, 3, 5, 2};
      row.offset = {-1, 0.5, -2, 0};
      row.fill = {0.4f, 0.45f, 0.5f, 0.1f};
      rows.push_back(row);
    }
  const Erase hole{{}, {2, 3, 6, 5}};
  for (size_t i = 1; i < rows.size(); i += 2) rows[i].erase = {&hole, 1};
  for (const int64_t channels : {1, 3, 4}) {
    INFO("channels " << channels);
    const Array x = random_indices({5, 9, 11, channels}, Dtype::U8, 1, 256);
    const Array out({static_cast<int64_t>(rows.size()), 9, 11, channels}, Dtype::F32);
    expect_same_on_cuda({x}, {out}, std::ldexp(1.0, -23),
                        [&](auto& ctx, const Views& in, const Views& views) {
                          augment(ctx, in[0], rows, views[0]);
                        });
  }
}

TEST_CASE("augment on CUDA: bad rows throw at once, tables outlive the call", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  CudaContext& ctx = cuda_context(0);
  const Array pixels = random_indices({3, 8, 8, 3}, Dtype::U8, 1, 256),
              batch({1, 8, 8, 3}, Dtype::F32);
  const OnDevice images(ctx, pixels, 0), out(ctx, batch, 0);
  std::vector<AugmentRow> rows(1);
  rows[0].source = 3;
  REQUIRE_THROWS_WITH(augment(ctx, images.view(), rows, out.view()), contains("source 3"));
  // Many calls before the device is asked for anything: each must see its own rows.
  for (int64_t i = 0; i < 9; ++i) {
    rows.assign(1, AugmentRow{});
    rows[0].source = i % 3;
    augment(ctx, images.view(), rows, out.view());
  }
  const Array got = out.read();
  for (int64_t i = 0; i < 192; ++i)
    CHECK(got.data<float>()[i] ==
          Approx(static_cast<double>(pixels.data<uint8_t>()[2 * 192 + i]) / 255));
}

#endif  // DITTO_HAS_CUDA
