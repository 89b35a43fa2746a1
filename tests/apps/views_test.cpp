#include "apps/classification/views.h"

#include <cmath>

#include "autograd/ops.h"
#include "models/models.h"
#include "nn/init.h"
#include "tests/support/catch.h"

namespace ditto::apps {
namespace {

data::ImageDataset noise(int64_t n) {
  Rng rng(5);
  std::vector<uint8_t> pixels(static_cast<size_t>(n) * 64);
  for (uint8_t& v : pixels) v = static_cast<uint8_t>(rng.below(256));
  return data::ImageDataset("noise", Tensor::from(pixels, {n, 8, 8, 1}),
                            Tensor::zeros({n}, Dtype::I64), {"a", "b", "c"}, {{0.5f}, {0.25f}});
}

TrainOptions crops() {
  TrainOptions o;
  o.crop_padding = 2;
  return o;
}

}  // namespace

TEST_CASE("views: deterministic, different from each other, and as the network sees them",
          "[apps]") {
  const auto dataset = noise(4);
  const ViewSet set = augmented_views(crops(), dataset, 3, 5);
  CHECK(set.inputs.shape() == Shape{15, 8, 8, 1});
  CHECK(set.pictures.shape() == Shape{15, 8, 8, 1});
  const auto pictures = set.pictures.to_vector<int64_t>();
  CHECK(pictures == augmented_views(crops(), dataset, 3, 5).pictures.to_vector<int64_t>());
  CHECK(Tensor(slice(set.pictures, 0, 0, 1)).to_vector<int64_t>() !=
        slice(set.pictures, 0, 1, 2).to_vector<int64_t>());
  const auto inputs = set.inputs.to_vector<float>();
  for (size_t i = 0; i < inputs.size(); ++i)
    REQUIRE(std::lround((inputs[i] * 0.25f + 0.5f) * 255) == pictures[i]);
  CHECK_THROWS_WITH(augmented_views(crops(), dataset, 5, 8),
                    testing::contains("8 views of 5 images out of 4"));
}

TEST_CASE("views: predictions are the network's softmax, and equal views do not diverge",
          "[apps]") {
  const auto dataset = noise(2);
  auto model = models::make_model("mlp", {.image_size = 8, .in_channels = 1, .num_classes = 3});
  nn::init(*model, 1);
  const ViewSet set = augmented_views(crops(), dataset, 2, 4);
  const ViewPredictions p = predict_views(*model, set);
  CHECK(p.classes == 3);
  REQUIRE(p.probabilities.size() == 24);
  NoGrad guard;
  model->eval();
  const auto expected = softmax((*model)(set.inputs)).to_vector<float>();
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(p.probabilities[i] == Approx(expected[i]).margin(1e-6));
  REQUIRE(p.divergence.size() == 2);
  CHECK(p.divergence[1] == Approx(view_divergence(p.of_image(1), 4)));
  CHECK(p.divergence[1] > 0);
  CHECK(p.mean_divergence() == Approx((p.divergence[0] + p.divergence[1]) / 2));

  TrainOptions plain;
  plain.flip = false;
  plain.crop_padding = 0;
  CHECK(predict_views(*model, augmented_views(plain, dataset, 2, 4)).mean_divergence() ==
        Approx(0).margin(1e-9));
}

}  // namespace ditto::apps
