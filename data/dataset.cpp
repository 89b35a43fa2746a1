#include "data/dataset.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "core/rng.h"

namespace ditto::data {

std::string to_string(Split split) { return split == Split::Train ? "train" : "test"; }

ImageDataset::ImageDataset(std::string name, Tensor images, Tensor labels,
                           std::vector<std::string> class_names, ChannelStatistics statistics)
    : name_(std::move(name)),
      images_(std::move(images)),
      labels_(std::move(labels)),
      class_names_(std::move(class_names)),
      statistics_(std::move(statistics)) {
  check(images_.defined() && images_.rank() == 4 && images_.dtype() == Dtype::U8 &&
            images_.is_contiguous(),
        "[dataset] images must be contiguous u8 (N, H, W, C):", name_, images_);
  check(channels() >= 1 && channels() <= kernels::kMaxChannels && height() >= 1 && width() >= 1,
        "[dataset] images need 1 to 4 channels and a size:", name_, images_);
  check(labels_.defined() && labels_.dtype() == Dtype::I64 && labels_.shape() == Shape{size()},
        "[dataset] labels must be i64 (N), N =", size(), "got", labels_);
  const auto channel_count = static_cast<size_t>(channels());
  check(statistics_.mean.size() == channel_count && statistics_.std.size() == channel_count,
        "[dataset] statistics need one mean and std per channel, got", statistics_.mean.size(),
        statistics_.std.size());
  const int64_t* label = labels_.data<int64_t>();
  for (int64_t i = 0; i < size(); ++i)
    check(label[i] >= 0 && label[i] < classes(), "[dataset] label", label[i], "of image", i,
          "is outside [0, K), K =", classes());
}

int64_t ImageDataset::label(int64_t index) const { return get(index).label; }

ImageSample ImageDataset::get(int64_t index) const {
  check(index >= 0 && index < size(), "[dataset] image", index, "of", size());
  const int64_t bytes = height() * width() * channels();
  return {{images_.data<uint8_t>() + index * bytes, static_cast<size_t>(bytes)},
          height(),
          width(),
          channels(),
          labels_.data<int64_t>()[index]};
}

ImageInfo ImageDataset::info() const {
  ImageInfo info{
      static_cast<int>(width()), static_cast<int>(height()), static_cast<int>(channels()), {}};
  std::ranges::copy(statistics_.mean, info.fill.begin());
  if (fill_) info.fill = *fill_;
  return info;
}

ImageDataset ImageDataset::select(std::span<const int64_t> indices) const {
  ImageDataset out = *this;
  const auto n = static_cast<int64_t>(indices.size());
  out.images_ = Tensor::empty({n, height(), width(), channels()}, Dtype::U8);
  out.labels_ = Tensor::empty({n}, Dtype::I64);
  uint8_t* pixels = out.images_.data<uint8_t>();
  for (int64_t i = 0; i < n; ++i) {
    const ImageSample sample = get(indices[i]);
    std::memcpy(pixels + i * static_cast<int64_t>(sample.pixels.size()), sample.pixels.data(),
                sample.pixels.size());
    out.labels_.data<int64_t>()[i] = sample.label;
  }
  return out;
}

ImageDataset ImageDataset::subset(int64_t n) const {
  check(n >= 0 && n <= size(), "[dataset] subset of", n, "images from", name_, "with", size());
  std::vector<int64_t> indices(static_cast<size_t>(n));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return select(indices);
}

ImageDataset ImageDataset::take(int64_t n, uint64_t seed) const {
  check(n >= 0 && n <= size(), "[dataset] take", n, "images from", name_, "with", size());
  std::vector<std::vector<int64_t>> by_class(static_cast<size_t>(classes()));
  const int64_t* label = labels_.data<int64_t>();
  for (int64_t i = 0; i < size(); ++i) by_class[label[i]].push_back(i);
  std::vector<int64_t> chosen;
  for (int64_t k = 0; k < classes(); ++k) {
    const auto wanted = static_cast<size_t>(n / classes() + (k < n % classes() ? 1 : 0));
    std::vector<int64_t>& members = by_class[k];
    check(wanted <= members.size(), "[dataset] class", class_names_[k], "of", name_, "has only",
          members.size(), "images, a balanced choice of", n, "needs", wanted);
    Rng rng(seed, Purpose::Shuffle, static_cast<uint64_t>(k));
    rng.shuffle(std::span(members));
    chosen.insert(chosen.end(), members.begin(), members.begin() + static_cast<int64_t>(wanted));
  }
  std::ranges::sort(chosen);
  return select(chosen);
}

}  // namespace ditto::data
