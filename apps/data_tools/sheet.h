// The picture sheets of show-data: per image a line of panels, the original with its annotations,
// the replicas, and each replica mapped back onto the original.
#pragma once

#include "apps/data_tools/picture.h"
#include "data/copy_paste.h"
#include "data/dataset.h"
#include "data/instance_dataset.h"
#include "data/transform.h"

namespace ditto::apps {

// Upper line: the original with boxes and masks, then the replicas with theirs; an object has one
// colour everywhere, and lines join its boxes from replica to replica. Regions to ignore are grey.
// Lower line: the original with the boxes and masks of all replicas mapped back, then each
// replica's pixels, boxes and masks mapped back onto the (faded) original. `augment` must leave
// colours in [0, 1]: no normalisation; where no object survives it is drawn again, as the loader
// does. Objects that copy-paste brought from another image have a box in the replica alone, for it
// is not this original that they go back to.
struct SheetOptions {
  int64_t first = 0;  // image of the data set
  int64_t images = 4;
  int replicas = 3;
  int64_t seed = 0;
  data::SurvivalRules survival = {};
  // As in the loader (data/instance_loader.h).
  data::PasteOptions paste = {.probability = 0};
  std::shared_ptr<const data::Augment> colours = {};
};
Picture instance_sheet(const data::InstanceDataset& dataset, const data::Augment& augment,
                       const SheetOptions& options);

// One line per image: the original, the replicas, and each mapped back onto the faded original.
// Small images are enlarged by a whole factor.
Picture image_sheet(const data::ImageDataset& dataset, const data::Augment& augment,
                    const SheetOptions& options);

}  // namespace ditto::apps
