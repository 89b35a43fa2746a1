#include "data/mix_instances.h"

#include "core/rng.h"
#include "data/mix.h"
#include "data/synthetic_pedestrians.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using ditto::kernels::MixKind;
using ditto::kernels::MixRow;
using ditto::testing::contains;

namespace {

constexpr int kWidth = 40, kHeight = 30;

// Objects of image `image` that fill these boxes.
Instances objects(int64_t image, const std::vector<Rect>& boxes, bool masks) {
  Instances out;
  for (size_t i = 0; i < boxes.size(); ++i) {
    out.boxes.push_back(boxes[i]);
    out.labels.push_back(static_cast<int64_t>(i));
    out.ids.push_back({image, static_cast<int64_t>(i)});
    out.ignore.push_back(0);
    if (masks) out.masks.push_back(Rle::rectangle(boxes[i], kHeight, kWidth));
    out.points.push_back({{boxes[i].x0, boxes[i].y0}});
  }
  return out;
}

MixRow cutmix(const kernels::PixelBox& box) {
  const float keep = 1 - static_cast<float>(box.area()) / (kWidth * kHeight);
  return {.kind = MixKind::CutMix, .partner = 1, .keep = keep, .box = box};
}

}  // namespace

TEST_CASE("mix_instances: CutMix hides objects and brings those of the partner, masks or boxes") {
  // The box takes columns 10 to 30 of all lines but the lowest five.
  const MixRow row = cutmix({10, 0, 30, 25});
  const std::vector<Rect> mine = {{0, 5, 8, 15},      // beside the box
                                  {12, 2, 20, 20},    // gone
                                  {5, 5, 15, 15},     // loses its right half
                                  {8, 5, 30, 15},     // keeps a tenth
                                  {15, 20, 25, 30}};  // loses its upper half
  const std::vector<Rect> theirs = {{12, 2, 20, 20}, {0, 0, 8, 8}, {25, 10, 35, 20}};
  for (const bool masks : {true, false}) {
    INFO("masks " << masks);
    const MixedInstances mixed =
        mix_instances(row, objects(1, mine, masks), objects(2, theirs, masks), kWidth, kHeight);
    const Instances& got = mixed.instances;
    check_instances(got, kWidth, kHeight);
    REQUIRE(got.size() == 6);
    const std::vector<Rect> boxes = {{0, 5, 8, 15},    {5, 5, 10, 15},  {8, 5, 10, 15},
                                     {15, 25, 25, 30}, {12, 2, 20, 20}, {25, 10, 30, 20}};
    CHECK(got.boxes == boxes);
    CHECK(got.ids == std::vector<InstanceId>{{1, 0}, {1, 2}, {1, 3}, {1, 4}, {2, 0}, {2, 2}});
    CHECK(got.labels == std::vector<int64_t>{0, 2, 3, 4, 0, 2});
    CHECK(got.ignore == std::vector<uint8_t>{0, 0, 1, 0, 0, 0});
    CHECK(mixed.partner == std::vector<uint8_t>{0, 0, 0, 0, 1, 1});
    CHECK(mixed.weights == std::vector<double>(6, 1.0));
    const std::vector<double> visibility = {1, 0.5, 1 / 11.0, 0.5, 1, 0.5};
    for (size_t i = 0; i < 6; ++i) CHECK(got.visibility[i] == Approx(visibility[i]));
    if (masks)
      for (size_t i = 0; i < 6; ++i)
        CHECK(got.masks[i] == Rle::rectangle(boxes[i], kHeight, kWidth));
    CHECK(got.points[1][0].x == 5);
  }
  // Where only a corner is hidden, the box stays and its area does not.
  const MixedInstances corner =
      mix_instances(cutmix({0, 0, 5, 5}), objects(1, {{0, 0, 10, 10}}, false), {}, kWidth, kHeight);
  CHECK(corner.instances.boxes[0] == Rect{0, 0, 10, 10});
  CHECK(corner.instances.visibility[0] == Approx(0.75));
  // A box in the middle of an object leaves both sides; one that covers all leaves nothing.
  const Instances wide = objects(1, {{0, 10, 40, 20}}, false);
  CHECK(mix_instances(row, wide, {}, kWidth, kHeight).instances.boxes[0] == wide.boxes[0]);
  CHECK(mix_instances(cutmix({0, 0, 40, 30}), wide, {}, kWidth, kHeight).instances.size() == 0);
}

TEST_CASE("mix_instances: mixup keeps the objects of both, with weights") {
  const MixRow row{.kind = MixKind::Mixup, .partner = 1, .keep = 0.75f};
  const Instances mine = objects(1, {{0, 5, 8, 15}}, true),
                  theirs = objects(2, {{12, 2, 20, 20}, {1, 1, 9, 9}}, true);
  const MixedInstances mixed = mix_instances(row, mine, theirs, kWidth, kHeight);
  CHECK(mixed.instances.ids == std::vector<InstanceId>{{1, 0}, {2, 0}, {2, 1}});
  CHECK(mixed.instances.masks[1] == theirs.masks[0]);
  CHECK(mixed.partner == std::vector<uint8_t>{0, 1, 1});
  CHECK(mixed.weights == std::vector<double>{0.75, 0.25, 0.25});
  const MixedInstances plain = mix_instances({}, mine, theirs, kWidth, kHeight);
  CHECK(plain.instances.ids == mine.ids);
  CHECK(plain.weights == std::vector<double>{1});
}

TEST_CASE("mix_instances: objects, class maps and pixels tell the same of who is seen") {
  constexpr int kWide = 80, kHigh = 64;
  // The class map holds the number of the object at each pixel, so that masks can be compared.
  const InstanceDataset dataset =
      synthetic_pedestrians({.images = 2, .width = kWide, .height = kHigh, .most = 3, .seed = 3});
  const auto on_canvas = [&](int64_t i) {
    const ImageInfo info = dataset.info(i);
    const Rect all{0, 0, double(info.width), double(info.height)};
    return transform_instances(Transform::resized(info, all, kWide, kHigh), dataset.instances(i),
                               {0, 0, 0});
  };
  const Instances mine = on_canvas(0), theirs = on_canvas(1);
  const auto map_of = [](const Instances& from, int64_t base) {
    const Tensor map = Tensor::zeros({kHigh, kWide}, Dtype::I64);
    for (size_t i = 0; i < from.size(); ++i)
      for (const ColumnRun& run : from.masks[i].runs())
        for (int y = run.top; y < run.bottom; ++y)
          map.data<int64_t>()[y * kWide + run.column] = base + from.ids[i].annotation;
    return map;
  };
  const Tensor images = Tensor::empty({2, kHigh, kWide, 1}), mixed = images.clone();
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<float>()[i] = i < kHigh * kWide ? 0.0f : 1.0f;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    const int64_t groups[] = {0, 1};
    const std::vector<MixRow> rows = draw_mix({.cutmix_alpha = 1}, rng, groups, kWide, kHigh);
    const MixRow& row = rows[0];
    const MixedInstances got = mix_instances(row, mine, theirs, kWide, kHigh, {0, 0, 0});
    const Tensor map = mix_label_maps(row, map_of(mine, 1000), map_of(theirs, 2000));
    Tensor expected = Tensor::zeros({kHigh, kWide}, Dtype::I64);
    kernels::mix_images(cpu_context(), images.view(), rows, mixed.view());
    for (size_t i = 0; i < got.instances.size(); ++i)
      for (const ColumnRun& run : got.instances.masks[i].runs())
        for (int y = run.top; y < run.bottom; ++y) {
          const int64_t at = y * kWide + run.column;
          expected.data<int64_t>()[at] =
              (got.partner[i] ? 2000 : 1000) + got.instances.ids[i].annotation;
          CHECK(mixed.data<float>()[at] == float(got.partner[i]));
        }
    CHECK(map.to_vector<int64_t>() == expected.to_vector<int64_t>());
    CHECK(to_string(lost(row)) == (row.box.area() > 0 ? "erased" : "nothing"));
  }
  const Tensor bytes = Tensor::full({4, 6}, 3, Dtype::U8),
               others = Tensor::full({4, 6}, 9, Dtype::U8);
  const Tensor both = mix_label_maps({.kind = MixKind::CutMix, .box = {1, 1, 3, 2}}, bytes, others);
  CHECK(both.to_vector<uint8_t>() == std::vector<uint8_t>{3, 3, 3, 3, 3, 3, 3, 9, 9, 3, 3, 3,
                                                          3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3});
  CHECK(to_string(lost({.kind = MixKind::Mixup, .keep = 0.5f})) == "colour");
}

TEST_CASE("mix_instances: errors") {
  const Instances mine = objects(1, {{0, 5, 8, 15}}, true);
  REQUIRE_THROWS_WITH(mix_instances(cutmix({0, 0, 9, 9}), mine, mine, kWidth, kHeight),
                      contains("[mix_instances] both images have the object 0 of image 1"));
  REQUIRE_THROWS_WITH(mix_instances(cutmix({0, 0, 50, 9}), mine, {}, kWidth, kHeight),
                      contains("[mix_instances] box outside the image"));
  REQUIRE_THROWS_WITH(mix_instances(cutmix({9, 0, 2, 9}), mine, {}, kWidth, kHeight),
                      contains("[mix_instances] box outside the image"));
  REQUIRE_THROWS_WITH(
      mix_instances({.kind = MixKind::Mixup, .keep = 1.5f}, mine, {}, kWidth, kHeight),
      contains("[mix_instances] keep must be in [0, 1], got 1.5"));
  const Tensor map = Tensor::zeros({4, 6}, Dtype::U8);
  REQUIRE_THROWS_WITH(mix_label_maps({.kind = MixKind::Mixup}, map, map),
                      contains("[mix_label_maps] after mixup a pixel has two classes"));
  REQUIRE_THROWS_WITH(mix_label_maps({}, map, Tensor::zeros({4, 5}, Dtype::U8)),
                      contains("[mix_label_maps] two maps"));
  REQUIRE_THROWS_WITH(mix_label_maps(cutmix({0, 0, 7, 1}), map, map),
                      contains("[mix_label_maps] box outside the image"));
}
