// Generated images with objects, and chains of policies, for tests of their loader.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "data/augment.h"
#include "data/synthetic_pedestrians.h"

namespace ditto::testing {

using AugmentPtr = std::shared_ptr<const data::Augment>;

inline AugmentPtr chain(std::vector<AugmentPtr> parts) {
  return std::make_shared<data::Compose>(std::move(parts));
}

// Eight scenes of up to three persons.
inline const data::InstanceDataset& pedestrians() {
  static const data::InstanceDataset dataset =
      data::synthetic_pedestrians({.images = 8, .width = 96, .height = 80, .most = 3, .seed = 2});
  return dataset;
}

}  // namespace ditto::testing
