#include "data/instance_dataset.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/rng.h"
#include "core/sha256.h"

namespace ditto::data {

void Problems::add(const std::string& where, const std::string& what) {
  const std::string line = where + ": " + what;
  if (strict_) fail("[annotations] " + line);
  list_.push_back(line);
}

InstanceDataset::InstanceDataset(std::string name, std::shared_ptr<const ImageReader> reader,
                                 std::vector<AnnotatedImage> images,
                                 std::vector<std::string> class_names, ChannelStatistics statistics)
    : name_(std::move(name)),
      reader_(std::move(reader)),
      indices_(images.size()),
      class_names_(std::move(class_names)),
      statistics_(std::move(statistics)) {
  check(reader_ != nullptr, "[dataset] needs a reader:", name_);
  check(!statistics_.mean.empty() && statistics_.mean.size() == statistics_.std.size(),
        "[dataset] statistics need one mean and std per channel:", name_);
  check(channels() <= kernels::kMaxChannels, "[dataset] at most", kernels::kMaxChannels,
        "channels, got", channels(), "in", name_);
  for (const float deviation : statistics_.std)
    check(deviation > 0, "[dataset] a standard deviation must be above 0, got", deviation, "in",
          name_);
  std::vector<InstanceId> ids;
  for (const AnnotatedImage& image : images) {
    check(image.width >= 1 && image.height >= 1,
          "[dataset] image without pixels:", printable(image.name), image.width, "x", image.height);
    try {
      check_instances(image.instances, image.width, image.height);
    } catch (const Error& error) {
      fail(std::string(error.what()) + ", image " + printable(image.name));
    }
    for (const int64_t label : image.instances.labels)
      check(label >= 1 && label <= classes(), "[dataset] label", label, "in image",
            printable(image.name), "is not in [1, K], K =", classes());
    ids.insert(ids.end(), image.instances.ids.begin(), image.instances.ids.end());
  }
  std::ranges::sort(ids);
  const auto twice = std::ranges::adjacent_find(ids);
  if (twice != ids.end())
    fail("[dataset] an id is there twice: image", twice->image, "annotation", twice->annotation);
  images_ = std::make_shared<const std::vector<AnnotatedImage>>(std::move(images));
  std::iota(indices_.begin(), indices_.end(), int64_t{0});
}

const AnnotatedImage& InstanceDataset::annotated(int64_t index) const {
  check(index >= 0 && index < size(), "[dataset] image", index, "of", size());
  return (*images_)[static_cast<size_t>(indices_[static_cast<size_t>(index)])];
}

Tensor InstanceDataset::image(int64_t index) const {
  const AnnotatedImage& expected = annotated(index);
  Tensor image = reader_->read(indices_[static_cast<size_t>(index)]);
  if (!image.defined()) return image;
  check(image.rank() == 3 && image.dtype() == Dtype::U8 && image.dim(2) == channels() &&
            image.is_contiguous(),
        "[dataset] an image must be u8 (H, W, C), C =", channels(), "got", image);
  check(image.dim(1) == expected.width && image.dim(0) == expected.height, "[dataset] image",
        printable(expected.name), "has", image.dim(1), "x", image.dim(0),
        "pixels, its annotation is for", expected.width, "x", expected.height);
  return image;
}

ImageInfo InstanceDataset::info(int64_t index) const {
  const AnnotatedImage& image = annotated(index);
  ImageInfo info{image.width, image.height, static_cast<int>(channels()), {}};
  std::ranges::copy(statistics_.mean, info.fill.begin());
  return info;
}

std::string InstanceDataset::fingerprint() const {
  std::string text;
  for (const std::string& name : class_names_) text += name + '\n';
  for (int64_t i = 0; i < size(); ++i) {
    const AnnotatedImage& image = annotated(i);
    text += image.name + ' ' + std::to_string(image.width) + ' ' + std::to_string(image.height);
    const Instances& objects = image.instances;
    for (size_t k = 0; k < objects.size(); ++k) {
      const Rect& box = objects.boxes[k];
      for (const double v : {box.x0, box.y0, box.x1, box.y1}) text += ' ' + error_text(v);
      text += ' ' + std::to_string(objects.labels[k]) + ' ' + std::to_string(objects.ids[k].image) +
              ' ' + std::to_string(objects.ids[k].annotation) + ' ' +
              std::to_string(objects.ignore[k]);
      if (!objects.masks.empty()) text += ' ' + objects.masks[k].text();
    }
    text += '\n';
  }
  return sha256(text + reader_->fingerprint());
}

InstanceDataset InstanceDataset::select(std::span<const int64_t> indices) const {
  InstanceDataset out = *this;
  out.indices_.clear();
  for (const int64_t index : indices) {
    check(index >= 0 && index < size(), "[dataset] image", index, "of", size());
    out.indices_.push_back(indices_[static_cast<size_t>(index)]);
  }
  return out;
}

InstanceDataset InstanceDataset::split(Split which, int64_t test, uint64_t seed) const {
  check(test >= 0 && test <= size(), "[dataset] a test set of", test, "images from", name_, "with",
        size());
  std::vector<int64_t> order(static_cast<size_t>(size()));
  std::iota(order.begin(), order.end(), int64_t{0});
  Rng rng(seed, Purpose::Shuffle);
  rng.shuffle(std::span(order));
  const auto first = order.end() - static_cast<std::ptrdiff_t>(test);
  std::vector<int64_t> chosen(which == Split::Test ? first : order.begin(),
                              which == Split::Test ? order.end() : first);
  std::ranges::sort(chosen);
  return select(chosen);
}

Instances instances_of_map(const Tensor& map, int64_t image, int64_t label) {
  check(map.defined() && map.rank() == 2 && map.dtype() == Dtype::U8 && map.is_contiguous(),
        "[instances] a map of objects must be u8 (H, W), got", map);
  const int height = static_cast<int>(map.dim(0));
  const int width = height == 0 ? 0 : static_cast<int>(map.dim(1));  // nothing to read
  const uint8_t* pixels = map.data<uint8_t>();
  // Columns are followed eight at a time: a walk down one column meets a new cache line per pixel.
  constexpr int kTogether = 8;
  std::array<std::vector<ColumnRun>, 256> runs;
  for (int x0 = 0; x0 < width; x0 += kTogether) {
    const int columns = std::min(kTogether, width - x0);
    std::array<int, kTogether> top{};
    std::array<uint8_t, kTogether> value{};
    for (int c = 0; c < columns; ++c) value[static_cast<size_t>(c)] = pixels[x0 + c];
    std::array<std::vector<std::pair<uint8_t, ColumnRun>>, kTogether> found;
    const auto close = [&](int c, int y) {
      const auto k = static_cast<size_t>(c);
      if (value[k] != 0) found[k].emplace_back(value[k], ColumnRun{x0 + c, top[k], y});
    };
    for (int y = 1; y < height; ++y)
      for (int c = 0; c < columns; ++c) {
        const uint8_t now = pixels[int64_t{y} * width + x0 + c];
        const auto k = static_cast<size_t>(c);
        if (now == value[k]) continue;
        close(c, y);
        value[k] = now, top[k] = y;
      }
    for (int c = 0; c < columns; ++c) {
      close(c, height);
      for (const auto& [number, run] : found[static_cast<size_t>(c)]) runs[number].push_back(run);
    }
  }
  Instances out;
  for (size_t number = 1; number < runs.size(); ++number) {
    if (runs[number].empty()) continue;
    out.masks.push_back(Rle::from_runs(runs[number], height, width));
    out.boxes.push_back(out.masks.back().box());
    out.labels.push_back(label);
    out.ids.push_back({image, static_cast<int64_t>(number)});
    out.ignore.push_back(0);
  }
  return out;
}

}  // namespace ditto::data
