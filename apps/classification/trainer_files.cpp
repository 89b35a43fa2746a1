// The parts of trainer.h that touch files and pictures.
#include "apps/classification/trainer.h"

namespace ditto::apps {

DataPair load_data(const DataOptions& options) {
  std::string name = options.dataset;
  // A --data-root is looked at for CIFAR-10 first; without one, DITTO_DATA is.
  if (name == "auto")
    name = data::locate("cifar-10", options.data_root) ? "cifar-10" : "fashion-mnist";
  const data::LoadOptions load{.root = options.data_root, .strict = options.strict_data};
  DataPair pair{data::load(name, data::Split::Train, load),
                data::load(name, data::Split::Test, load)};
  if (options.train_images > 0) pair.train = pair.train.take(options.train_images, 0);
  if (options.test_images > 0) pair.test = pair.test.take(options.test_images, 0);
  release_cached_memory();  // the whole set that a subset was taken from
  return pair;
}

Tensor replica_pictures(const TrainOptions& options, const data::ImageDataset& dataset,
                        int64_t count, int replicas) {
  const auto augment = data::make_augment(augment_options(options), dataset.statistics());
  const data::ChannelStatistics& statistics = dataset.statistics();
  const int64_t h = dataset.height(), w = dataset.width(), c = dataset.channels();
  Tensor pictures = Tensor::empty({count * replicas, h, w, c}, Dtype::U8);
  uint8_t* to = pictures.data<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    const Tensor image = Tensor::from(dataset.get(i).pixels, {h, w, c});
    for (int r = 0; r < replicas; ++r) {
      Rng rng(static_cast<uint64_t>(options.seed), Purpose::Augment, static_cast<uint64_t>(i), 0,
              static_cast<uint64_t>(r));
      const auto values = augment->draw(rng, dataset.info()).apply(image).to_vector<float>();
      for (size_t k = 0; k < values.size(); ++k) {
        const size_t channel = k % static_cast<size_t>(c);
        const float v = values[k] * statistics.std[channel] + statistics.mean[channel];
        *to++ = static_cast<uint8_t>(std::clamp(v * 255.0f + 0.5f, 0.0f, 255.0f));
      }
    }
  }
  return pictures;
}

}  // namespace ditto::apps
