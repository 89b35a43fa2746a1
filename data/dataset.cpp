#include "data/dataset.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "core/rng.h"
#include "core/sha256.h"

namespace ditto::data {

std::string to_string(Split split) { return split == Split::Train ? "train" : "test"; }

ChannelStatistics imagenet_statistics() {
  return {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
}

OnBadImage on_bad_image(const std::string& name) {
  if (name == "skip") return OnBadImage::Skip;
  if (name == "zero") return OnBadImage::Zero;
  check(name == "error", "[dataset] on_bad_image is error, skip or zero, got", name);
  return OnBadImage::Error;
}

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
  height_ = images_.dim(1), width_ = images_.dim(2);
  check(images_.dim(3) >= 1 && images_.dim(3) <= kernels::kMaxChannels,
        "[dataset] images need 1 to 4 channels:", name_, images_);
  check(labels_.defined() && labels_.shape() == Shape{images_.dim(0)},
        "[dataset] labels must be i64 (N), N =", images_.dim(0), "got", labels_);
  check(images_.dim(3) == channels(), "[dataset] statistics need one mean and std per channel, got",
        statistics_.mean.size(), "for", images_);
  check_parts();
}

ImageDataset::ImageDataset(std::string name, std::shared_ptr<const ImageReader> reader,
                           Tensor labels, std::vector<std::string> class_names,
                           ChannelStatistics statistics, int64_t height, int64_t width)
    : name_(std::move(name)),
      reader_(std::move(reader)),
      height_(height),
      width_(width),
      labels_(std::move(labels)),
      class_names_(std::move(class_names)),
      statistics_(std::move(statistics)) {
  check(reader_ != nullptr, "[dataset] needs a reader:", name_);
  check_parts();
  indices_ = Tensor::arange(size());
}

void ImageDataset::check_parts() const {
  check(channels() >= 1 && channels() <= kernels::kMaxChannels && height_ >= 1 && width_ >= 1,
        "[dataset] images need 1 to 4 channels and a size:", name_, height_, width_, channels());
  check(statistics_.std.size() == statistics_.mean.size(),
        "[dataset] statistics need one mean and std per channel, got", statistics_.mean.size(),
        statistics_.std.size());
  for (const float std : statistics_.std)
    check(std > 0, "[dataset] a std must be positive, got", std, "for", name_);
  check(labels_.defined() && labels_.dtype() == Dtype::I64 && labels_.rank() == 1,
        "[dataset] labels must be i64 (N), got", labels_);
  const int64_t* label = labels_.data<int64_t>();
  for (int64_t i = 0; i < size(); ++i)
    check(label[i] >= 0 && label[i] < classes(), "[dataset] label", label[i], "of image", i,
          "is outside [0, K), K =", classes());
}

bool ImageDataset::has_final_size() const {
  return images_.defined() && images_.dim(1) == height_ && images_.dim(2) == width_;
}

ImageDataset ImageDataset::resized(int64_t height, int64_t width) const {
  check(height >= 1 && width >= 1, "[dataset] resized to", height, "x", width);
  ImageDataset out = *this;
  out.height_ = height, out.width_ = width;
  return out;
}

const Tensor& ImageDataset::images() const {
  check(in_memory(), "[dataset] the images are not in memory:", name_);
  return images_;
}

int64_t ImageDataset::label(int64_t index) const {
  check(index >= 0 && index < size(), "[dataset] image", index, "of", size());
  return labels_.data<int64_t>()[index];
}

ImageSample ImageDataset::get(int64_t index) const {
  const int64_t own_label = label(index), height = images().dim(1), width = images().dim(2);
  const int64_t bytes = height * width * channels();
  return {{images_.data<uint8_t>() + index * bytes, static_cast<size_t>(bytes)},
          height,
          width,
          channels(),
          own_label};
}

Tensor ImageDataset::image(int64_t index) const {
  check(index >= 0 && index < size(), "[dataset] image", index, "of", size());
  if (in_memory()) {
    const Shape shape{images_.dim(1), images_.dim(2), channels()};
    return images_.alias(shape, contiguous_strides(shape),
                         images_.offset() + index * shape.numel());
  }
  Tensor image = reader_->read(indices_.data<int64_t>()[index]);
  check(!image.defined() || (image.rank() == 3 && image.dtype() == Dtype::U8 &&
                             image.dim(2) == channels() && image.is_contiguous()),
        "[dataset] an image must be u8 (H, W, C), C =", channels(), "got", image);
  return image;
}

void ImageDataset::set_statistics(ChannelStatistics statistics) {
  check(statistics.mean.size() == statistics_.mean.size(), "[dataset]", name_, "has", channels(),
        "channels, got", statistics.mean.size(), "means");
  statistics_ = std::move(statistics);
  check_parts();
}

std::vector<std::string> ImageDataset::bad_images() const {
  return reader_ ? reader_->bad_images() : std::vector<std::string>{};
}

std::string ImageDataset::fingerprint() const {
  Sha256 hash;
  const auto add_text = [&](std::string_view text) {
    hash.update({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    hash.update(std::array<uint8_t, 1>{});  // so that "ab", "c" is not "a", "bc"
  };
  const auto add_tensor = [&](const Tensor& x) {
    const Tensor plain = x.contiguous();
    const View view = plain.view();
    hash.update({static_cast<const uint8_t*>(view.data),
                 static_cast<size_t>(view.numel() * size_of(view.dtype))});
  };
  for (const std::string& text : class_names_) add_text(text);
  add_text(std::to_string(height_) + " " + std::to_string(width_) + " " +
           std::to_string(channels()));
  add_tensor(labels_);
  if (in_memory()) {
    add_tensor(images_);
  } else {
    add_tensor(indices_);
    add_text(reader_->fingerprint());
  }
  return hash.digest();
}

ImageInfo ImageDataset::info(int64_t height, int64_t width) const {
  ImageInfo info{
      static_cast<int>(width), static_cast<int>(height), static_cast<int>(channels()), {}};
  std::ranges::copy(statistics_.mean, info.fill.begin());
  if (fill_) info.fill = *fill_;
  return info;
}

ImageDataset ImageDataset::select(std::span<const int64_t> indices) const {
  ImageDataset out = *this;
  const auto n = static_cast<int64_t>(indices.size());
  out.labels_ = Tensor::empty({n}, Dtype::I64);
  for (int64_t i = 0; i < n; ++i) out.labels_.data<int64_t>()[i] = label(indices[i]);
  if (reader_) {
    out.indices_ = Tensor::empty({n}, Dtype::I64);
    for (int64_t i = 0; i < n; ++i)
      out.indices_.data<int64_t>()[i] = indices_.data<int64_t>()[indices[i]];
    return out;
  }
  out.images_ = Tensor::empty({n, images_.dim(1), images_.dim(2), channels()}, Dtype::U8);
  uint8_t* pixels = out.images_.data<uint8_t>();
  for (int64_t i = 0; i < n; ++i) {
    const ImageSample sample = get(indices[i]);
    std::memcpy(pixels + i * static_cast<int64_t>(sample.pixels.size()), sample.pixels.data(),
                sample.pixels.size());
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
