// The parts of trainer.h that touch files.
#include "apps/classification/trainer.h"

namespace ditto::apps {

DataPair load_data(const DataOptions& options) {
  std::string name = options.dataset;
  // A --data-root is looked at for CIFAR-10 first; without one, DITTO_DATA is.
  if (name == "auto")
    name = data::locate("cifar-10", options.data_root) ? "cifar-10" : "fashion-mnist";
  if (options.mean.size() != options.std.size())
    throw UsageError("mean and std need as many numbers as the images have channels, each");
  const data::LoadOptions load{.root = options.data_root,
                               .strict = options.strict_data,
                               .image_size = options.image_size,
                               .on_bad_image = data::on_bad_image(options.on_bad_image),
                               .cache = {data::cache_kind(options.cache), options.cache_mb << 20},
                               .statistics = {{options.mean.begin(), options.mean.end()},
                                              {options.std.begin(), options.std.end()}}};
  DataPair pair{data::load(name, data::Split::Train, load),
                data::load(name, data::Split::Test, load)};
  if (options.train_images > 0) pair.train = pair.train.take(options.train_images, 0);
  if (options.test_images > 0) pair.test = pair.test.take(options.test_images, 0);
  release_cached_memory();  // the whole set that a subset was taken from
  return pair;
}

int64_t eval_rows(const data::ImageDataset& dataset) {
  return std::max<int64_t>(8, (int64_t{1} << 20) / (dataset.height() * dataset.width()));
}

}  // namespace ditto::apps
