#include "data/augment.h"

#include "data/transforms/crop.h"
#include "data/transforms/cutout.h"
#include "data/transforms/flip.h"
#include "data/transforms/normalize.h"

namespace ditto::data {

std::shared_ptr<const Augment> make_augment(const AugmentOptions& options,
                                            const ChannelStatistics& statistics) {
  std::vector<std::shared_ptr<const Augment>> parts;
  if (options.affine.enabled()) parts.push_back(std::make_shared<RandomAffine>(options.affine));
  if (options.crop_padding != 0)
    parts.push_back(std::make_shared<RandomCrop>(options.crop_padding));
  if (options.flip) parts.push_back(std::make_shared<RandomFlip>());
  if (options.cutout != 0) parts.push_back(std::make_shared<Cutout>(options.cutout));
  parts.push_back(std::make_shared<Normalize>(statistics.mean, statistics.std));
  return std::make_shared<Compose>(std::move(parts));
}

}  // namespace ditto::data
