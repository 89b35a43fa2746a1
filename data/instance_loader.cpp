#include "data/instance_loader.h"

#include <cstring>
#include <unordered_map>

#include "core/on_device.h"
#include "core/parallel.h"
#include "data/paste_partner.h"
#include "data/upload.h"

namespace ditto::data {
namespace {

int up_to_multiple(int64_t side, int divisor) {
  return static_cast<int>((side + divisor - 1) / divisor * divisor);
}

// Row r of (B, H, W, C), as (H, W, C), without a copy.
Tensor row_of(const Tensor& batch, int64_t r) {
  const Shape shape{batch.dim(1), batch.dim(2), batch.dim(3)};
  return batch.alias(shape, contiguous_strides(shape), batch.offset() + r * shape.numel());
}

// As place, where no loop over pixels reaches them.
void place_on_device(const Tensor& image, const kernels::ChannelValues& fill, const Tensor& out) {
  for (int64_t c = 0; c < out.dim(2); ++c) {
    const Shape plane{out.dim(0), out.dim(1)}, strides{out.dim(1) * out.dim(2), out.dim(2)};
    out.alias(plane, strides, out.offset() + c).fill_(double(fill[static_cast<size_t>(c)]));
  }
  out.alias(image.shape(), contiguous_strides(out.shape()), out.offset()).copy_(image);
}

// `image` (h, w, C) into the upper left corner of `out` (H, W, C); the rest becomes `fill`.
void place(const Tensor& image, const kernels::ChannelValues& fill, const Tensor& out) {
  if (!out.device().is_cpu()) return place_on_device(image, fill, out);
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

// A row before its pixels are made. Images are numbers in the batch's list.
struct Row {
  SampleItem item = {};
  Transform transform;
  Instances instances;
  std::optional<Transform> colours = {};  // after pasting
  kernels::ChannelValues fill = {};       // of the padding
  std::optional<PastePartner> partner = {};
  size_t image = 0, partner_image = 0;
};

struct Made {
  InstanceBatch batch;
  // What a device needs to make the pixels; empty where they are made.
  Shape shape = {};
  std::vector<Row> rows = {};
  Upload images = {}, weights = {};  // per image, and of pasting per row
};

// Nothing where nothing is pasted.
Tensor weights_of(const Row& row, double soften) {
  return row.partner ? paste_weights(row.partner->paste.mask, soften) : Tensor();
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
        uploads_(options.device),
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
    check(options.paste.probability >= 0 && options.paste.probability <= 1,
          "[loader] probability of copy-paste must be in [0, 1], got", options.paste.probability);
    check(options.paste.pick >= 0 && options.paste.pick <= 1,
          "[loader] pick of copy-paste must be in [0, 1], got", options.paste.pick);
    check(options.paste.soften >= 0 && std::isfinite(options.paste.soften),
          "[loader] soften of copy-paste must not be negative:", options.paste.soften);
    for (int64_t i = 0; pastes() && i < dataset_.size(); ++i)
      check(dataset_.instances(i).size() == 0 || !dataset_.instances(i).masks.empty(),
            "[loader] copy-paste needs masks; none in image",
            printable(dataset_.annotated(i).name));
  }

  std::optional<InstanceBatch> next() {
    return queue_.next([this](Made made) { return finish(std::move(made)); });
  }
  BatchQueue<Made>& queue() { return queue_; }
  const InstanceDataset& dataset() const { return dataset_; }

 private:
  bool pastes() const { return options_.paste.probability > 0; }
  Row draw(int64_t epoch, const SampleItem& item) const;
  void read_images(std::vector<std::optional<Row>>& rows, std::vector<Tensor>& images) const;
  Made make(int64_t epoch, int64_t index, std::span<const SampleItem> items) const;
  void render(const Row& row, std::span<const Tensor> images, const Tensor& weights,
              const Tensor& out) const;
  InstanceBatch finish(Made made);

  const InstanceDataset dataset_;
  const std::shared_ptr<const Augment> augment_, fallback_;
  const InstanceLoaderOptions options_;
  UploadQueue uploads_;
  BatchQueue<Made> queue_;  // last member: its threads end before the others go
};

// All of a row but its pixels.
Row InstanceLoader::State::draw(int64_t epoch, const SampleItem& item) const {
  const ReplicaKey key{options_.seed, epoch, item.sample, item.replica};
  Rng rng = key.rng(Purpose::Augment);
  InstanceDraw drawn =
      draw_with_instances(*augment_, *fallback_, rng, dataset_.info(item.sample),
                          dataset_.instances(item.sample), options_.survival, options_.negative);
  Row row{.item = item,
          .transform = std::move(drawn.transform),
          .instances = std::move(drawn.instances)};
  const ImageInfo canvas = row.transform.canvas();
  row.fill = canvas.fill;
  if (options_.colours) {
    row.colours = options_.colours->draw(rng, canvas);
    const Lost lost = row.colours->lost();
    check(row.colours->frame().map == Affine{} && row.colours->canvas().width == canvas.width &&
              row.colours->canvas().height == canvas.height && !lost.cut && !lost.erased,
          "[loader] what comes after pasting may not move, cut or erase");
    row.fill = row.colours->canvas().fill;
  }
  if (pastes())
    row.partner = draw_partner(dataset_, *augment_, options_.paste, key, canvas, row.instances,
                               options_.survival);
  return row;
}

// Reads each image once for all rows that show it or a part of it. Rows without an image go; those
// whose partner has none stay as they were.
void InstanceLoader::State::read_images(std::vector<std::optional<Row>>& rows,
                                        std::vector<Tensor>& images) const {
  std::unordered_map<int64_t, size_t> place;
  std::vector<int64_t> samples;
  const auto place_of = [&](int64_t sample) {
    const auto [entry, is_new] = place.try_emplace(sample, samples.size());
    if (is_new) samples.push_back(sample);
    return entry->second;
  };
  for (std::optional<Row>& row : rows) {
    row->image = place_of(row->item.sample);
    if (row->partner) row->partner_image = place_of(row->partner->sample);
  }
  images.resize(samples.size());
  parallel_for(cpu_context(), static_cast<int64_t>(samples.size()), 1,
               [&](int64_t begin, int64_t end) {
                 for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
                   images[i] = dataset_.image(samples[i]);
               });
  for (std::optional<Row>& row : rows) {
    if (row->partner && !images[row->partner_image].defined()) row->partner.reset();
    if (!images[row->image].defined()) row.reset();
  }
  std::erase_if(rows, [](const std::optional<Row>& row) { return !row; });
}

Made InstanceLoader::State::make(int64_t epoch, int64_t index,
                                 std::span<const SampleItem> items) const {
  std::vector<std::optional<Row>> rows(items.size());
  parallel_for(cpu_context(), static_cast<int64_t>(items.size()), 1,
               [&](int64_t begin, int64_t end) {
                 for (auto r = static_cast<size_t>(begin); r < static_cast<size_t>(end); ++r)
                   rows[r] = draw(epoch, items[r]);
               });
  Made made;
  std::vector<Tensor> images;
  read_images(rows, images);
  InstanceBatch& batch = made.batch;
  batch.epoch = epoch, batch.index = index;
  if (rows.empty()) return made;

  int width = 1, height = 1;
  for (const std::optional<Row>& row : rows) {
    width = std::max(width, row->transform.frame().width);
    height = std::max(height, row->transform.frame().height);
  }
  if (options_.width > 0) {
    check(width <= options_.width && height <= options_.height, "[loader] a replica of", width, "x",
          height, "does not fit the canvas of", options_.width, "x", options_.height);
    width = options_.width, height = options_.height;
  }
  width = up_to_multiple(width, options_.divisor);
  height = up_to_multiple(height, options_.divisor);
  for (std::optional<Row>& row : rows) {
    batch.samples.push_back(row->item.sample);
    batch.groups.push_back(row->item.group);
    batch.replicas.push_back(row->item.replica);
    batch.frames.push_back(row->transform.frame().then(Affine{}, width, height));
    PastedRow& pasted = batch.pasted.emplace_back();
    Instances& seen = row->partner ? row->partner->paste.instances : row->instances;
    if (row->partner)
      pasted = {row->partner->sample, row->partner->transform.frame().then(Affine{}, width, height),
                std::move(row->partner->paste.pasted)};
    for (Rle& mask : seen.masks) mask = mask.window(0, 0, width, height);
    batch.instances.push_back(std::move(seen));
    made.rows.push_back(std::move(*row));
  }
  made.shape = {batch.size(), height, width, dataset_.channels()};
  if (options_.device.is_cpu()) {
    batch.images = options_.pinned ? Tensor::empty_pinned(made.shape) : Tensor::empty(made.shape);
    parallel_for(cpu_context(), batch.size(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const Row& row = made.rows[static_cast<size_t>(r)];
        render(row, images, weights_of(row, options_.paste.soften), row_of(batch.images, r));
      }
    });
    made.rows.clear();
  } else {
    std::vector<Tensor> weights;
    for (const Row& row : made.rows) weights.push_back(weights_of(row, options_.paste.soften));
    made.images = Upload(images), made.weights = Upload(weights);
  }
  return made;
}

// A row's pixels, on the device where the images are.
void InstanceLoader::State::render(const Row& row, std::span<const Tensor> images,
                                   const Tensor& weights, const Tensor& out) const {
  const Frame& frame = row.transform.frame();
  const bool fits = frame.width == out.dim(1) && frame.height == out.dim(0);
  const Shape shape{frame.height, frame.width, out.dim(2)};
  const Tensor canvas = fits ? out : Tensor::empty(shape, Dtype::F32, out.device());
  ReplicaParts parts{.transform = row.transform,
                     .image = images[row.image],
                     .colours = row.colours ? &*row.colours : nullptr};
  if (row.partner) {
    parts.partner = &*row.partner;
    parts.partner_image = images[row.partner_image];
    parts.weights = weights;
  }
  render_replica(parts, canvas);
  if (!fits) place(canvas, row.fill, out);
}

// The thread that calls next() gives a device its work, in the order in which it uses the result.
InstanceBatch InstanceLoader::State::finish(Made made) {
  InstanceBatch& batch = made.batch;
  if (made.rows.empty()) return std::move(batch);
  const std::vector<Tensor> images = uploads_.take(std::move(made.images)),
                            weights = uploads_.take(std::move(made.weights));
  // The next batch travels while the device works on this one.
  if (Made* next = queue_.peek()) uploads_.start(next->images), uploads_.start(next->weights);
  batch.images = Tensor::empty(made.shape, Dtype::F32, options_.device);
  for (size_t r = 0; r < made.rows.size(); ++r)
    render(made.rows[r], images, weights[r], row_of(batch.images, static_cast<int64_t>(r)));
  return std::move(batch);
}

InstanceLoader::InstanceLoader(InstanceDataset dataset, std::shared_ptr<const Sampler> sampler,
                               std::shared_ptr<const Augment> augment,
                               std::shared_ptr<const Augment> fallback,
                               const InstanceLoaderOptions& options)
    : state_(std::make_unique<State>(std::move(dataset), std::move(sampler), std::move(augment),
                                     std::move(fallback), options)) {}
InstanceLoader::~InstanceLoader() = default;
std::optional<InstanceBatch> InstanceLoader::next() { return state_->next(); }
int64_t InstanceLoader::batches() { return state_->queue().batches(); }
LoaderPosition InstanceLoader::position() const { return state_->queue().position(); }
void InstanceLoader::seek(const LoaderPosition& position) { state_->queue().seek(position); }
const InstanceDataset& InstanceLoader::dataset() const { return state_->dataset(); }

}  // namespace ditto::data
