#include "apps/data_tools/commands.h"

#include <iostream>

#include "apps/classification/trainer.h"
#include "apps/common/files.h"
#include "apps/common/png.h"
#include "apps/data_tools/check_data.h"
#include "data/augment.h"
#include "data/penn_fudan.h"
#include "data/synthetic_pedestrians.h"
#include "data/transforms/color_jitter.h"
#include "data/transforms/cutout.h"
#include "data/transforms/flip.h"
#include "data/transforms/scale_jitter.h"

namespace ditto::apps {
namespace {

void declare_sheet(Config& config, SheetOptions& o) {
  config.group("Sheet");
  config.add("first", &o.first, "number of the first image").at_least(0);
  config.add("images", &o.images, "that are shown").range(1, 64);
  config.add("replicas", &o.replicas, "of each image").range(1, 16);
  config.add("seed", &o.seed, "of the augmentation");
}

void write_sheet(const Picture& sheet, const RunDirectoryOptions& directory,
                 const Invocation& invocation) {
  const RunDirectory run(directory, invocation);
  write_file(run.file("data.png"), encode_png(sheet.pixels()));
  std::cout << run.file("data.png").string() << std::endl;
}

void conclude(const DataFindings& findings) {
  std::cout << findings_text(findings) << std::flush;
  if (!findings.problems.empty())
    fail("[check-data]", findings.problems.size(), "problems were found");
}

}  // namespace

void ShowImagesCommand::declare(Config& config) {
  apps::declare(config, data_);
  declare_sheet(config, sheet_);
  config.group("Augmentation");
  config.add("crop-padding", &augment_.crop_padding, "pixels; 0: no crop").range(0, 1024);
  config.add("flip", &augment_.flip, "left-right, half of the time");
  config.add("degrees", &augment_.affine.degrees, "rotation").range(0, 180);
  config.add("cutout", &augment_.cutout, "side of the square; 0: none").range(0, 1024);
  config.add("rrc", &augment_.random_resized_crop, "random resized crop");
  apps::declare(config, directory_);
}

void ShowImagesCommand::run(const Invocation& invocation) {
  const DataPair data = load_data(data_);
  if (augment_.random_resized_crop) augment_.crop_padding = 0;
  data::AugmentOptions options = augment_;
  if (options.random_resized_crop || !data.train.has_final_size()) {
    options.width = static_cast<int>(data.train.width());
    options.height = static_cast<int>(data.train.height());
  }
  // Pictures, so no normalisation but one that changes nothing.
  const auto channels = static_cast<size_t>(data.train.channels());
  const auto augment = data::make_augment(
      options, {std::vector<float>(channels, 0), std::vector<float>(channels, 1)});
  write_sheet(image_sheet(data.train, *augment, sheet_), directory_, invocation);
}

void CheckImagesCommand::declare(Config& config) { apps::declare(config, data_); }

void CheckImagesCommand::run(const Invocation&) {
  const DataPair data = load_data(data_);
  conclude(check_images(data.train, data.test));
}

void declare(Config& config, InstanceDataOptions& o) {
  config.group("Data");
  config.add("dataset", &o.dataset, "penn-fudan, or synthetic: generated pedestrians")
      .choices({"penn-fudan", "synthetic"});
  config.add("data-root", &o.data_root, "folder of the data set, or its parent");
  config.add("lenient", &o.lenient, "leave out wrong annotations instead of stopping at them");
  config
      .add("on-bad-image", &o.on_bad_image,
           "a photograph that cannot be read, or has another size than its annotation says, is an "
           "error or left out")
      .choices({"error", "skip"});
  config.add("synthetic-images", &o.synthetic_images, "how many are generated").range(1, 1e6);
}

data::InstanceDataset load_instances(const InstanceDataOptions& o) {
  if (o.dataset == "synthetic") return data::synthetic_pedestrians({.images = o.synthetic_images});
  return data::load_penn_fudan(
      o.data_root, {.lenient = o.lenient, .on_bad_image = data::on_bad_image(o.on_bad_image)});
}

void ShowInstancesCommand::declare(Config& config) {
  apps::declare(config, data_);
  declare_sheet(config, sheet_);
  config.group("Augmentation");
  config.add("width", &width_, "of the canvas").range(16, 4096);
  config.add("height", &height_, "of the canvas").range(16, 4096);
  config.add("jitter-low", &low_, "least size, in units of what just fits the canvas").above(0, 10);
  config.add("jitter-high", &high_, "largest size").above(0, 10);
  config.add("degrees", &degrees_, "rotation, uniform up to this").range(0, 44);
  config.add("cutout", &cutout_, "side of the square; 0: none").range(0, 1024);
  config
      .add("copy-paste", &sheet_.paste.probability,
           "that objects of another image are pasted on a replica")
      .range(0, 1);
  apps::declare(config, directory_);
}

void ShowInstancesCommand::run(const Invocation& invocation) {
  if (low_ > high_) throw UsageError("jitter-low is above jitter-high");
  const data::InstanceDataset dataset = load_instances(data_);
  std::vector<std::shared_ptr<const data::Augment>> parts = {
      std::make_shared<data::ScaleJitter>(
          static_cast<int>(width_), static_cast<int>(height_),
          data::ScaleJitterOptions{.low = low_, .high = high_, .random_place = true}),
      std::make_shared<data::RandomFlip>(),
      std::make_shared<data::RandomAffine>(data::AffineOptions{.degrees = degrees_})};
  sheet_.colours = std::make_shared<data::ColorJitter>(data::JitterOptions{0.2, 0.2, 0.2, 0.02});
  if (cutout_ > 0) parts.push_back(std::make_shared<data::Cutout>(cutout_));
  write_sheet(instance_sheet(dataset, data::Compose(std::move(parts)), sheet_), directory_,
              invocation);
}

void CheckInstancesCommand::declare(Config& config) { apps::declare(config, data_); }

void CheckInstancesCommand::run(const Invocation&) {
  data_.lenient = true;  // all problems, not the first
  conclude(check_instances_of(load_instances(data_)));
}

}  // namespace ditto::apps
