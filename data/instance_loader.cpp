#include "data/instance_loader.h"

#include <cstring>

#include "core/parallel.h"

namespace ditto::data {
namespace {

int up_to_multiple(int64_t side, int divisor) {
  return static_cast<int>((side + divisor - 1) / divisor * divisor);
}

// `image` (h, w, C) into the upper left corner of `out` (H, W, C); the rest becomes `fill`.
void place(const Tensor& image, const kernels::ChannelValues& fill, const Tensor& out) {
  const int64_t channels = image.dim(2), line = image.dim(1) * channels;
  const int64_t out_line = out.dim(1) * channels;
  const float* from = image.data<float>();
  float* to = out.data<float>();
  for (int64_t y = 0; y < out.dim(0); ++y, to += out_line) {
    const int64_t copied = y < image.dim(0) ? line : 0;
    std::memcpy(to, from, static_cast<size_t>(copied) * sizeof(float));
    from += copied;
    for (int64_t i = copied; i < out_line; ++i)
      to[i] = static_cast<float>(fill[static_cast<size_t>(i % channels)]);
  }
}

}  // namespace

class InstanceLoader::State {
 public:
  State(InstanceDataset dataset, std::shared_ptr<const Sampler> sampler,
        std::shared_ptr<const Augment> augment, std::shared_ptr<const Augment> fallback,
        const InstanceLoaderOptions& options)
      : dataset_(std::move(dataset)),
        augment_(std::move(augment)),
        fallback_(std::move(fallback)),
        options_(options),
        queue_(queue_options(dataset_, options), std::move(sampler),
               [this](int64_t epoch, int64_t index, std::span<const SampleItem> items) {
                 return make(epoch, index, items);
               }) {
    check(augment_ && fallback_, "[loader] needs an augmentation and a fallback");
    check(options.divisor >= 1 && options.divisor <= 65536,
          "[loader] divisor must be 1 to 65536, got", options.divisor);
    check(options.width >= 0 && options.height >= 0 && (options.width > 0) == (options.height > 0),
          "[loader] width and height of the canvas must both be given, got", options.width,
          options.height);
  }

  BatchQueue<InstanceBatch>& queue() { return queue_; }
  const InstanceDataset& dataset() const { return dataset_; }

 private:
  InstanceBatch make(int64_t epoch, int64_t index, std::span<const SampleItem> items) const;

  const InstanceDataset dataset_;
  const std::shared_ptr<const Augment> augment_, fallback_;
  const InstanceLoaderOptions options_;
  BatchQueue<InstanceBatch> queue_;  // last member: its threads end before the others go
};

InstanceBatch InstanceLoader::State::make(int64_t epoch, int64_t index,
                                          std::span<const SampleItem> items) const {
  // Each image is decoded once for all its rows.
  struct Row {
    Transform transform;
    Instances instances;
    Tensor image;
  };
  std::vector<std::optional<Row>> rows(items.size());
  const std::vector<std::vector<size_t>> images = rows_by_sample(items);
  parallel_for(cpu_context(), static_cast<int64_t>(images.size()), 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const std::vector<size_t>& of_image = images[static_cast<size_t>(i)];
                   const int64_t sample = items[of_image.front()].sample;
                   const Tensor image = dataset_.image(sample);
                   if (!image.defined()) continue;
                   for (const size_t r : of_image) {
                     Rng rng(options_.seed, Purpose::Augment, static_cast<uint64_t>(sample),
                             static_cast<uint64_t>(epoch), static_cast<uint64_t>(items[r].replica));
                     InstanceDraw draw = draw_with_instances(
                         *augment_, *fallback_, rng, dataset_.info(sample),
                         dataset_.instances(sample), options_.survival, options_.negative);
                     rows[r] = Row{std::move(draw.transform), std::move(draw.instances), image};
                   }
                 }
               });

  InstanceBatch batch;
  batch.epoch = epoch, batch.index = index;
  int width = 1, height = 1;
  for (size_t r = 0; r < items.size(); ++r) {
    if (!rows[r]) continue;
    width = std::max(width, rows[r]->transform.frame().width);
    height = std::max(height, rows[r]->transform.frame().height);
    batch.samples.push_back(items[r].sample);
    batch.groups.push_back(items[r].group);
    batch.replicas.push_back(items[r].replica);
  }
  if (batch.samples.empty()) return batch;
  if (options_.width > 0) {
    check(width <= options_.width && height <= options_.height, "[loader] a replica of", width, "x",
          height, "does not fit the canvas of", options_.width, "x", options_.height);
    width = options_.width, height = options_.height;
  }
  width = up_to_multiple(width, options_.divisor);
  height = up_to_multiple(height, options_.divisor);

  const Shape shape{batch.size(), height, width, dataset_.channels()};
  batch.images = options_.pinned ? Tensor::empty_pinned(shape) : Tensor::empty(shape);
  std::erase_if(rows, [](const std::optional<Row>& row) { return !row; });
  const Shape one{height, width, dataset_.channels()};
  parallel_for(cpu_context(), batch.size(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const Row& row = *rows[static_cast<size_t>(r)];
      const Frame& frame = row.transform.frame();
      const Tensor out =
          batch.images.alias(one, contiguous_strides(one), batch.images.offset() + r * one.numel());
      if (frame.width == width && frame.height == height)
        row.transform.apply(row.image, out);
      else
        place(row.transform.apply(row.image), row.transform.canvas().fill, out);
    }
  });
  for (std::optional<Row>& row : rows) {
    for (Rle& mask : row->instances.masks) mask = mask.window(0, 0, width, height);
    batch.instances.push_back(std::move(row->instances));
    batch.frames.push_back(row->transform.frame().then(Affine{}, width, height));
  }
  return batch;
}

InstanceLoader::InstanceLoader(InstanceDataset dataset, std::shared_ptr<const Sampler> sampler,
                               std::shared_ptr<const Augment> augment,
                               std::shared_ptr<const Augment> fallback,
                               const InstanceLoaderOptions& options)
    : state_(std::make_unique<State>(std::move(dataset), std::move(sampler), std::move(augment),
                                     std::move(fallback), options)) {}
InstanceLoader::~InstanceLoader() = default;
std::optional<InstanceBatch> InstanceLoader::next() { return state_->queue().next(); }
int64_t InstanceLoader::batches() { return state_->queue().batches(); }
LoaderPosition InstanceLoader::position() const { return state_->queue().position(); }
void InstanceLoader::seek(const LoaderPosition& position) { state_->queue().seek(position); }
const InstanceDataset& InstanceLoader::dataset() const { return state_->dataset(); }

}  // namespace ditto::data
