// A small data set in memory for tests of loaders, its augmentations, and batches as lists of
// numbers.
#pragma once

#include <vector>

#include "data/augment.h"
#include "data/loader.h"

namespace ditto::testing {

using namespace ditto::data;

// n random 8 x 8 images with 3 channels in 5 classes.
inline ImageDataset random_dataset(int64_t n) {
  Tensor images = Tensor::empty({n, 8, 8, 3}, Dtype::U8);
  Tensor labels = Tensor::empty({n}, Dtype::I64);
  Rng rng(99);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  for (int64_t i = 0; i < n; ++i) labels.data<int64_t>()[i] = static_cast<int64_t>(rng.below(5));
  return {"random",
          images,
          labels,
          {"a", "b", "c", "d", "e"},
          {{0.5f, 0.4f, 0.3f}, {0.2f, 0.2f, 0.2f}}};
}

inline std::shared_ptr<const Augment> full_augment(const ImageDataset& data) {
  return make_augment(
      {.crop_padding = 2, .flip = true, .affine = {.degrees = 15, .translate = 0.1}, .cutout = 3},
      data.statistics());
}

inline std::shared_ptr<const Augment> plain_augment(const ImageDataset& data) {
  return make_augment({}, data.statistics());
}

// Everything in a batch that could depend on who made it.
inline std::vector<double> content(const Batch& batch) {
  std::vector<double> out = batch.images.to_vector<double>();
  const auto append = [&](const auto& values) {
    out.insert(out.end(), values.begin(), values.end());
  };
  append(batch.labels.to_vector<double>());
  if (batch.targets.defined()) append(batch.targets.to_vector<double>());
  append(batch.samples);
  append(batch.groups);
  append(batch.replicas);
  for (const Frame& frame : batch.frames) {
    append(std::vector<double>{frame.map.a, frame.map.b, frame.map.c, frame.map.f});
    append(std::vector<double>{frame.visible.x0, frame.visible.y1});
  }
  out.push_back(static_cast<double>(batch.epoch));
  out.push_back(static_cast<double>(batch.index));
  return out;
}

inline std::vector<std::vector<double>> epochs(DataLoader& loader, int count) {
  std::vector<std::vector<double>> out;
  for (int e = 0; e < count; ++e)
    while (const auto batch = loader.next()) out.push_back(content(*batch));
  return out;
}

}  // namespace ditto::testing
