// The parts of trainer.h that touch files.
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

}  // namespace ditto::apps
