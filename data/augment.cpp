#include "data/augment.h"

#include <cmath>

#include "data/transforms/blur.h"
#include "data/transforms/center_crop.h"
#include "data/transforms/crop.h"
#include "data/transforms/cutout.h"
#include "data/transforms/flip.h"
#include "data/transforms/grayscale.h"
#include "data/transforms/normalize.h"
#include "data/transforms/rand_affine.h"
#include "data/transforms/resize.h"
#include "data/transforms/solarize.h"

namespace ditto::data {

std::shared_ptr<const Augment> make_augment(const AugmentOptions& options,
                                            const ChannelStatistics& statistics) {
  std::vector<std::shared_ptr<const Augment>> parts;
  check((options.width > 0) == (options.height > 0) && options.width >= 0 && options.height >= 0,
        "[make_augment] width and height must both be given, got", options.width, options.height);
  if (options.width > 0 && options.random_resized_crop) {
    parts.push_back(
        std::make_shared<RandomResizedCrop>(options.width, options.height, options.resized_crop));
  } else if (options.width > 0) {
    const int side = std::max(options.width, options.height);
    parts.push_back(std::make_shared<Resize>(static_cast<int>(std::lround(side * 256.0 / 224.0))));
    parts.push_back(std::make_shared<CenterCrop>(options.width, options.height));
  }
  if (options.affine.enabled()) parts.push_back(std::make_shared<RandomAffine>(options.affine));
  if (options.rand_affine != 0)
    parts.push_back(
        std::make_shared<RandAffine>(RandAffineOptions{.magnitude = options.rand_affine}));
  if (options.crop_padding != 0)
    parts.push_back(std::make_shared<RandomCrop>(options.crop_padding));
  if (options.flip) parts.push_back(std::make_shared<RandomFlip>());
  if (options.jitter.enabled()) parts.push_back(std::make_shared<ColorJitter>(options.jitter));
  if (options.grayscale != 0) parts.push_back(std::make_shared<RandomGrayscale>(options.grayscale));
  if (options.blur != 0)
    parts.push_back(std::make_shared<RandomBlur>(BlurOptions{.probability = options.blur}));
  if (options.solarize != 0)
    parts.push_back(std::make_shared<RandomSolarize>(0.5, options.solarize));
  if (options.cutout != 0) parts.push_back(std::make_shared<Cutout>(options.cutout));
  parts.push_back(std::make_shared<Normalize>(statistics.mean, statistics.std));
  return std::make_shared<Compose>(std::move(parts));
}

std::shared_ptr<const Augment> train_augment(AugmentOptions options, const ImageDataset& dataset) {
  if (options.random_resized_crop || !dataset.has_final_size()) {
    options.width = static_cast<int>(dataset.width());
    options.height = static_cast<int>(dataset.height());
  }
  return make_augment(options, dataset.statistics());
}

std::shared_ptr<const Augment> eval_augment(const ImageDataset& dataset) {
  return train_augment({}, dataset);
}

}  // namespace ditto::data
