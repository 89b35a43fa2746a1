#include "apps/common/bench_data.h"

#include "core/rng.h"
#include "data/augment.h"
#include "data/image.h"
#include "data/image_folder.h"
#include "data/instance_loader.h"
#include "data/loader.h"
#include "data/penn_fudan.h"
#include "data/transforms/flip.h"
#include "data/transforms/normalize.h"
#include "data/transforms/scale_jitter.h"

namespace ditto::apps {

std::vector<DataBench> cifar_benches(int64_t batch) {
  constexpr int64_t kImages = 10000;
  Tensor images = Tensor::empty({kImages, 32, 32, 3}, Dtype::U8),
         labels = Tensor::zeros({kImages}, Dtype::I64);
  Rng rng(1);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  const data::ImageDataset dataset("random", images, labels, {"any"},
                                   {{0.4914f, 0.4822f, 0.4465f}, {0.247f, 0.2435f, 0.2616f}});
  std::vector<DataBench> benches;
  for (int cutout : {0, 8}) {
    const auto loader = std::make_shared<data::DataLoader>(
        dataset, std::make_shared<data::RandomSampler>(kImages, 1),
        data::make_augment({.crop_padding = 4, .flip = true, .affine = {}, .cutout = cutout},
                           dataset.statistics()),
        data::LoaderOptions{.batch = batch, .workers = 0});
    benches.push_back(
        {cutout ? "augment-crop-flip-cutout-normalise" : "augment-crop-flip-normalise", kImages,
         [loader] {
           while (loader->next()) {
           }
         }});
  }
  return benches;
}

std::vector<DataBench> instance_benches(const std::string& root) {
  constexpr int64_t kImages = 64;
  constexpr int kSide = 512;
  const data::InstanceDataset all = data::load_penn_fudan(root);
  std::vector<int64_t> first;
  for (int64_t i = 0; i < std::min(kImages, all.size()); ++i) first.push_back(i);
  const data::InstanceDataset dataset = all.select(first);
  const auto policy = [&](const data::ScaleJitterOptions& jitter, double flip) {
    return std::make_shared<data::Compose>(std::vector<std::shared_ptr<const data::Augment>>{
        std::make_shared<data::ScaleJitter>(kSide, kSide, jitter),
        std::make_shared<data::RandomFlip>(flip),
        std::make_shared<data::Normalize>(dataset.statistics().mean, dataset.statistics().std)});
  };
  std::vector<DataBench> benches;
  for (const int replicas : {1, 2, 4, 8}) {
    const auto loader = std::make_shared<data::InstanceLoader>(
        dataset, std::make_shared<data::GroupedSampler>(dataset.size(), replicas, 1, true),
        policy(data::ScaleJitterOptions::standard(), 0.5), policy({.low = 1, .high = 1}, 0),
        data::InstanceLoaderOptions{.batch = 8, .workers = 0});
    benches.push_back({"penn-fudan-" + std::to_string(replicas) + "-replicas",
                       dataset.size() * replicas, [loader] {
                         while (loader->next()) {
                         }
                       }});
  }
  return benches;
}

std::vector<DataBench> decode_benches(const std::string& folder) {
  constexpr size_t kFiles = 64;
  std::vector<std::filesystem::path> files = data::list_images(folder);
  check(!files.empty(), "[bench] no JPEG or PNG files below", printable(folder));
  if (files.size() > kFiles) files.resize(kFiles);
  const auto rows = static_cast<int64_t>(files.size());
  return {{"decode", rows, [files = std::move(files)] {
             for (const auto& file : files) data::read_image(file);
           }}};
}

}  // namespace ditto::apps
