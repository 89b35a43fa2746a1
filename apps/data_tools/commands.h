// The commands show-data and check-data of both programs: for classified images and for images with
// objects.
#pragma once

#include <string>

#include "apps/classification/train_options.h"
#include "apps/common/command_line.h"
#include "apps/common/run_directory.h"
#include "apps/data_tools/sheet.h"

namespace ditto::apps {

// show-data for train_cifar: writes data.png into a run directory.
class ShowImagesCommand {
 public:
  void declare(Config& config);
  void run(const Invocation& invocation);

 private:
  DataOptions data_;
  RunDirectoryOptions directory_;
  SheetOptions sheet_;
  data::AugmentOptions augment_ = {.crop_padding = 4, .flip = true, .cutout = 8};
};

// check-data for train_cifar: prints the findings; exit code 1 when there are problems.
class CheckImagesCommand {
 public:
  void declare(Config& config);
  void run(const Invocation& invocation);

 private:
  DataOptions data_;
};

struct InstanceDataOptions {
  std::string dataset = "penn-fudan";  // or synthetic
  std::string data_root;
  bool lenient = false;
  std::string on_bad_image = "error";
  int64_t synthetic_images = 100;
};
void declare(Config& config, InstanceDataOptions& options);
data::InstanceDataset load_instances(const InstanceDataOptions& options);

class ShowInstancesCommand {
 public:
  void declare(Config& config);
  void run(const Invocation& invocation);

 private:
  InstanceDataOptions data_;
  RunDirectoryOptions directory_;
  SheetOptions sheet_;
  int64_t width_ = 320, height_ = 320;  // of the canvas
  double low_ = 0.8, high_ = 1.6, degrees_ = 5;
  int cutout_ = 0;
};

class CheckInstancesCommand {
 public:
  void declare(Config& config);
  void run(const Invocation& invocation);

 private:
  InstanceDataOptions data_;
};

}  // namespace ditto::apps
