#include "data/loader.h"

#include <algorithm>

#include "core/context.h"
#include "core/on_device.h"
#include "core/parallel.h"
#include "data/batch_queue.h"

namespace ditto::data {
namespace {

// Below this many images a second thread costs more than it saves.
constexpr int64_t kRowGrain = 8;

void check_canvas(const Frame& canvas, const Frame& frame) {
  check(canvas.width == frame.width && canvas.height == frame.height,
        "[loader] the augmentation gave different sizes in one batch:", canvas.width, "x",
        canvas.height, "and", frame.width, "x", frame.height);
}

// Row r of (B, H, W, C), as (H, W, C), without a copy.
Tensor slice(const Tensor& batch, int64_t r) {
  const Shape shape{batch.dim(1), batch.dim(2), batch.dim(3)};
  return batch.alias(shape, contiguous_strides(shape), batch.offset() + r * shape.numel());
}

}  // namespace

class DataLoader::State {
 public:
  State(ImageDataset dataset, std::shared_ptr<const Sampler> sampler,
        std::shared_ptr<const Augment> augment, const LoaderOptions& options)
      : dataset_(std::move(dataset)),
        sampler_(std::move(sampler)),
        augment_(std::move(augment)),
        options_(options),
        queue_(queue_options(dataset_, options), sampler_,
               [this](int64_t epoch, int64_t index, std::span<const SampleItem> items) {
                 return make(epoch, index, items);
               }) {
    check(augment_ != nullptr, "[loader] needs an augmentation");
    check_options(options.mix);
    if (options.device.is_cuda()) bring_to_device();
  }

  std::optional<Batch> next() {
    return queue_.next([this](Made made) { return finish(std::move(made)); });
  }

  int64_t batches() { return queue_.batches(); }
  void seek(const LoaderPosition& position) { queue_.seek(position); }
  LoaderPosition position() const { return queue_.position(); }
  const std::string& note() const { return note_; }
  const LoaderOptions& options() const { return options_; }
  const ImageDataset& dataset() const { return dataset_; }

 private:
  struct Made {
    Batch batch;
    std::vector<Transform> transforms;  // per row, where a device has yet to make the images
  };

  void bring_to_device();
  Made make(int64_t epoch, int64_t index, std::span<const SampleItem> items) const;
  Tensor new_images(const Shape& shape) const {
    return options_.pinned ? Tensor::empty_pinned(shape) : Tensor::empty(shape);
  }
  Batch finish(Made made);
  Transform draw(int64_t epoch, const SampleItem& item, const ImageInfo& info) const;
  void draw_memory(int64_t epoch, std::span<const SampleItem> items, Made& made) const;
  void augment_memory(int64_t epoch, std::span<const SampleItem> items, Batch& batch) const;
  void augment_files(int64_t epoch, std::span<const SampleItem> items, Batch& batch,
                     std::vector<uint8_t>& left_out) const;
  void keep_rows(Batch& batch, const std::vector<uint8_t>& left_out) const;
  void draw_mixing(Batch& batch) const;
  void mix(Batch& batch) const;

  const ImageDataset dataset_;
  const std::shared_ptr<const Sampler> sampler_;
  const std::shared_ptr<const Augment> augment_;
  const LoaderOptions options_;
  Tensor on_device_;  // the data set's images, where they are augmented on a device
  std::string note_;

  BatchQueue<Made> queue_;  // last member: its threads end before the others go
};

Transform DataLoader::State::draw(int64_t epoch, const SampleItem& item,
                                  const ImageInfo& info) const {
  Rng rng(options_.seed, Purpose::Augment, static_cast<uint64_t>(item.sample),
          static_cast<uint64_t>(epoch), static_cast<uint64_t>(item.replica));
  return augment_->draw(rng, info);
}

void DataLoader::State::bring_to_device() {
  const std::string device = to_string(options_.device);
  if (!dataset_.in_memory()) {
    note_ = dataset_.name() + " is augmented on the CPU: its images are read from files";
    return;
  }
  const int64_t bytes = dataset_.images().numel();
  if (bytes > options_.device_limit) {
    note_ = dataset_.name() + " is augmented on the CPU: its " + std::to_string(bytes) +
            " bytes are above the limit of " + std::to_string(options_.device_limit) + " on " +
            device;
    return;
  }
  on_device_ = dataset_.images().to(options_.device);
}

DataLoader::State::Made DataLoader::State::make(int64_t epoch, int64_t index,
                                                std::span<const SampleItem> items) const {
  const size_t rows = items.size();
  Made made;
  Batch& batch = made.batch;
  batch.epoch = epoch, batch.index = index;
  batch.frames.resize(rows);
  std::vector<uint8_t> left_out(rows);
  if (on_device_.defined())
    draw_memory(epoch, items, made);
  else if (dataset_.in_memory())
    augment_memory(epoch, items, batch);
  else
    augment_files(epoch, items, batch, left_out);
  keep_rows(batch, left_out);
  if (batch.frames.empty()) return made;
  batch.labels = Tensor::empty({static_cast<int64_t>(batch.frames.size())}, Dtype::I64);
  int64_t* label = batch.labels.data<int64_t>();
  for (size_t r = 0; r < rows; ++r) {
    if (left_out[r]) continue;
    *label++ = dataset_.label(items[r].sample);
    batch.samples.push_back(items[r].sample);
    batch.groups.push_back(items[r].group);
    batch.replicas.push_back(items[r].replica);
  }
  if (options_.mix.enabled()) draw_mixing(batch);
  if (batch.images.defined()) mix(batch);
  return made;
}

// The thread that calls next() gives the device its work, in the order in which it uses the result.
Batch DataLoader::State::finish(Made made) {
  Batch& batch = made.batch;
  if (made.transforms.empty()) return std::move(batch);
  std::vector<kernels::AugmentRow> records;
  records.reserve(made.transforms.size());
  for (size_t r = 0; r < made.transforms.size(); ++r)
    records.push_back(made.transforms[r].row(batch.samples[r]));
  const Frame& canvas = batch.frames.front();
  batch.images = Tensor::empty({batch.size(), canvas.height, canvas.width, dataset_.channels()},
                               Dtype::F32, options_.device);
  on_device(options_.device, [&](auto& ctx) {
    kernels::augment(ctx, on_device_.view(), records, batch.images.view());
  });
  mix(batch);
  return std::move(batch);
}

// One transform per row; the images are made on the device.
void DataLoader::State::draw_memory(int64_t epoch, std::span<const SampleItem> items,
                                    Made& made) const {
  const ImageInfo info = dataset_.info();
  made.transforms.reserve(items.size());
  for (size_t r = 0; r < items.size(); ++r) {
    const Frame& frame = made.batch.frames[r] =
        made.transforms.emplace_back(draw(epoch, items[r], info)).frame();
    check_canvas(made.batch.frames.front(), frame);
  }
}

// All images lie in one tensor. The first row is drawn ahead: it says how large the canvas is.
void DataLoader::State::augment_memory(int64_t epoch, std::span<const SampleItem> items,
                                       Batch& batch) const {
  const ImageInfo info = dataset_.info();
  const Frame canvas = draw(epoch, items.front(), info).frame();
  const auto rows = static_cast<int64_t>(items.size());
  batch.images = new_images({rows, canvas.height, canvas.width, dataset_.channels()});
  const View images = dataset_.images().view(), out = batch.images.view();
  // Drawing takes about as long as the pixels of a small image do: the threads share both.
  parallel_for(cpu_context(), rows, kRowGrain, [&](int64_t begin, int64_t end) {
    std::vector<Transform> transforms;  // the records refer to them
    transforms.reserve(static_cast<size_t>(end - begin));
    std::vector<kernels::AugmentRow> records;
    records.reserve(static_cast<size_t>(end - begin));
    for (int64_t r = begin; r < end; ++r) {
      const SampleItem& item = items[static_cast<size_t>(r)];
      const Transform& transform = transforms.emplace_back(draw(epoch, item, info));
      records.push_back(transform.row(item.sample));
      const Frame& frame = batch.frames[static_cast<size_t>(r)] = transform.frame();
      check_canvas(canvas, frame);
    }
    View part = out;
    part.data = out.as<float>() + begin * canvas.height * canvas.width * dataset_.channels();
    part.shape[0] = end - begin;
    kernels::augment(cpu_context(), images, records, part);
  });
}

// Images of different sizes: each is read once for all its rows in the batch.
void DataLoader::State::augment_files(int64_t epoch, std::span<const SampleItem> items,
                                      Batch& batch, std::vector<uint8_t>& left_out) const {
  const int64_t height = dataset_.height(), width = dataset_.width();
  batch.images =
      new_images({static_cast<int64_t>(items.size()), height, width, dataset_.channels()});
  const std::vector<std::vector<size_t>> images = rows_by_sample(items);
  parallel_for(cpu_context(), static_cast<int64_t>(images.size()), 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const std::vector<size_t>& rows = images[static_cast<size_t>(i)];
                   const Tensor image = dataset_.image(items[rows.front()].sample);
                   for (const size_t r : rows) {
                     if (!image.defined()) {
                       left_out[r] = 1;
                       continue;
                     }
                     const Transform transform =
                         draw(epoch, items[r], dataset_.info(image.dim(0), image.dim(1)));
                     const Frame& frame = batch.frames[r] = transform.frame();
                     check(frame.width == width && frame.height == height,
                           "[loader] the augmentation gave", frame.width, "x", frame.height,
                           "for an image of a data set of", width, "x", height);
                     transform.apply(image, slice(batch.images, static_cast<int64_t>(r)));
                   }
                 }
               });
}

// Closes the gaps that rows without an image left.
void DataLoader::State::keep_rows(Batch& batch, const std::vector<uint8_t>& left_out) const {
  const auto kept = std::ranges::count(left_out, 0);
  if (kept == static_cast<std::ptrdiff_t>(left_out.size())) return;
  Shape shape = batch.images.shape();
  shape[0] = kept;
  const Tensor images = new_images(shape);
  std::vector<Frame> frames;
  for (size_t r = 0; r < left_out.size(); ++r) {
    if (left_out[r]) continue;
    copy_view(slice(batch.images, static_cast<int64_t>(r)).view(),
              slice(images, static_cast<int64_t>(frames.size())).view());
    frames.push_back(batch.frames[r]);
  }
  batch.images = images, batch.frames = std::move(frames);
}

// The partners, and the labels: those stay on the CPU.
void DataLoader::State::draw_mixing(Batch& batch) const {
  // Ranks mix their own batches: the key tells them apart.
  const Shard& shard = sampler_->shard();
  Rng rng(options_.seed, Purpose::Mix,
          static_cast<uint64_t>(batch.index * shard.world + shard.rank),
          static_cast<uint64_t>(batch.epoch));
  const Frame& canvas = batch.frames.front();
  batch.mix = draw_mix(options_.mix, rng, batch.groups, static_cast<int>(canvas.width),
                       static_cast<int>(canvas.height));
  batch.targets = Tensor::empty({batch.size(), dataset_.classes()});
  kernels::mix_labels(cpu_context(), batch.labels.view(), batch.mix, batch.targets.view());
}

void DataLoader::State::mix(Batch& batch) const {
  if (batch.mix.empty()) return;
  const Device device = batch.images.device();
  const Tensor mixed = device.is_cpu() ? new_images(batch.images.shape())
                                       : Tensor::empty(batch.images.shape(), Dtype::F32, device);
  on_device(device, [&](auto& ctx) {
    kernels::mix_images(ctx, batch.images.view(), batch.mix, mixed.view());
  });
  batch.images = mixed;
}

DataLoader::DataLoader(ImageDataset dataset, std::shared_ptr<const Sampler> sampler,
                       std::shared_ptr<const Augment> augment, const LoaderOptions& options)
    : state_(std::make_unique<State>(std::move(dataset), std::move(sampler), std::move(augment),
                                     options)) {}
DataLoader::~DataLoader() = default;
std::optional<Batch> DataLoader::next() { return state_->next(); }
int64_t DataLoader::batches() { return state_->batches(); }
LoaderPosition DataLoader::position() const { return state_->position(); }
void DataLoader::seek(const LoaderPosition& position) { state_->seek(position); }
const std::string& DataLoader::note() const { return state_->note(); }
const LoaderOptions& DataLoader::options() const { return state_->options(); }
const ImageDataset& DataLoader::dataset() const { return state_->dataset(); }

}  // namespace ditto::data
