#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "core/context.h"

namespace ditto::data {

class DataLoader::State {
 public:
  State(ImageDataset dataset, std::shared_ptr<const Sampler> sampler,
        std::shared_ptr<const Augment> augment, const LoaderOptions& options)
      : dataset_(std::move(dataset)),
        sampler_(std::move(sampler)),
        augment_(std::move(augment)),
        options_(options) {
    check(sampler_ && augment_, "[loader] needs a sampler and an augmentation");
    check(sampler_->dataset_size() == dataset_.size(), "[loader] the sampler is for",
          sampler_->dataset_size(), "images, the data set has", dataset_.size());
    check(options.batch >= 1, "[loader] batch must be at least 1, got", options.batch);
    check(options.workers >= 0 && options.workers <= 1024,
          "[loader] workers must be in [0, 1024], got", options.workers);
    check(options.prefetch >= 0, "[loader] prefetch must not be negative, got", options.prefetch);
    check_options(options.mix);
    slots_.resize(options.prefetch > 0 ? static_cast<size_t>(options.prefetch)
                                       : 2 * static_cast<size_t>(std::max(options.workers, 1)));
  }

  std::optional<Batch> next() {
    start_epoch();
    if (position_.batch >= epoch_->batches) {
      stop_epoch();
      position_ = {position_.epoch + 1, 0};
      return std::nullopt;
    }
    Batch batch = options_.workers == 0 ? make(*epoch_, position_.batch) : take();
    ++position_.batch;
    return batch;
  }

  int64_t batches() {
    start_epoch();
    return epoch_->batches;
  }

  void seek(const LoaderPosition& position) {
    check(position.epoch >= 0 && position.batch >= 0, "[loader] cannot seek to epoch",
          position.epoch, "batch", position.batch);
    const std::shared_ptr<const Epoch> target = plan(position.epoch);
    check(position.batch <= target->batches, "[loader] cannot seek to batch", position.batch, "of",
          target->batches, "in epoch", position.epoch);
    stop_epoch();
    position_ = position;
  }

  const LoaderPosition& position() const { return position_; }
  const LoaderOptions& options() const { return options_; }
  const ImageDataset& dataset() const { return dataset_; }

 private:
  struct Epoch {
    int64_t number;
    int64_t batches;
    std::vector<SampleItem> order;
  };
  struct Slot {
    std::optional<Batch> batch;
    std::exception_ptr error;
  };

  std::shared_ptr<const Epoch> plan(int64_t number) const {
    std::vector<SampleItem> order = sampler_->order(number);
    const auto rows = static_cast<int64_t>(order.size());
    const int64_t batches = (rows + (options_.drop_last ? 0 : options_.batch - 1)) / options_.batch;
    check(batches > 0, "[loader] epoch", number, "of", dataset_.name(), "has", rows,
          "rows, which is not one batch of", options_.batch);
    return std::make_shared<const Epoch>(Epoch{number, batches, std::move(order)});
  }

  // Lets the workers run on the current epoch, from position_ on.
  void start_epoch() {
    if (epoch_) return;
    std::shared_ptr<const Epoch> epoch = plan(position_.epoch);
    while (static_cast<int>(workers_.size()) < options_.workers)
      workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    {
      std::lock_guard lock(mutex_);
      epoch_ = std::move(epoch);
      claimed_ = delivered_ = position_.batch;
    }
    work_.notify_all();
  }

  // Workers that are in the middle of a batch will see that their epoch is gone, and drop it.
  void stop_epoch() {
    std::lock_guard lock(mutex_);
    epoch_ = nullptr;
    for (Slot& slot : slots_) slot = {};
  }

  Batch take() {
    std::unique_lock lock(mutex_);
    Slot& slot = slots_[static_cast<size_t>(delivered_) % slots_.size()];
    ready_.wait(lock, [&] { return slot.batch || slot.error; });
    Slot result = std::exchange(slot, {});
    if (!result.error) ++delivered_;
    lock.unlock();
    if (result.error) {
      stop_epoch();
      std::rethrow_exception(result.error);
    }
    work_.notify_one();
    return std::move(*result.batch);
  }

  void work(const std::stop_token& stop) {
    cpu_context().threads = 1;  // the other cores belong to the network
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, stop, [&] {
        return epoch_ && claimed_ < epoch_->batches &&
               claimed_ < delivered_ + static_cast<int64_t>(slots_.size());
      });
      if (stop.stop_requested()) return;
      const int64_t index = claimed_++;
      const std::shared_ptr<const Epoch> epoch = epoch_;
      lock.unlock();
      Slot result;
      try {
        result.batch = make(*epoch, index);
      } catch (...) {
        result.error = std::current_exception();
      }
      lock.lock();
      if (epoch != epoch_) continue;
      slots_[static_cast<size_t>(index) % slots_.size()] = std::move(result);
      ready_.notify_one();
    }
  }

  Batch make(const Epoch& epoch, int64_t index) const;
  void mix(Batch& batch) const;

  const ImageDataset dataset_;
  const std::shared_ptr<const Sampler> sampler_;
  const std::shared_ptr<const Augment> augment_;
  const LoaderOptions options_;

  LoaderPosition position_;  // the consumer's alone

  std::mutex mutex_;  // guards what follows; the consumer reads epoch_, which it alone sets, freely
  std::condition_variable_any work_;
  std::condition_variable ready_;
  std::shared_ptr<const Epoch> epoch_;  // null between epochs
  int64_t claimed_ = 0;                 // batches up to here are made or being made
  int64_t delivered_ = 0;               // batches up to here were returned
  std::vector<Slot> slots_;             // batch i waits in slot i % size
  std::vector<std::jthread> workers_;   // last member: joined before the others go
};

Batch DataLoader::State::make(const Epoch& epoch, int64_t index) const {
  const auto first = epoch.order.begin() + index * options_.batch;
  const auto last = std::min(first + options_.batch, epoch.order.end());
  const auto rows = static_cast<size_t>(last - first);
  Batch batch;
  batch.epoch = epoch.number, batch.index = index;
  batch.labels = Tensor::empty({static_cast<int64_t>(rows)}, Dtype::I64);
  int64_t* label = batch.labels.data<int64_t>();
  const ImageInfo info = dataset_.info();
  std::vector<Transform> transforms;  // the records refer to them
  transforms.reserve(rows);
  std::vector<kernels::AugmentRow> records;
  records.reserve(rows);
  for (auto item = first; item != last; ++item) {
    Rng rng(options_.seed, Purpose::Augment, static_cast<uint64_t>(item->sample),
            static_cast<uint64_t>(epoch.number), static_cast<uint64_t>(item->replica));
    const Transform& transform = transforms.emplace_back(augment_->draw(rng, info));
    records.push_back(transform.row(item->sample));
    *label++ = dataset_.label(item->sample);
    batch.samples.push_back(item->sample);
    batch.groups.push_back(item->group);
    batch.replicas.push_back(item->replica);
    batch.frames.push_back(transform.frame());
    const Frame& canvas = batch.frames.front();
    check(canvas.width == transform.frame().width && canvas.height == transform.frame().height,
          "[loader] the augmentation gave different sizes in one batch:", canvas.width, "x",
          canvas.height, "and", transform.frame().width, "x", transform.frame().height);
  }
  const Frame& canvas = batch.frames.front();
  batch.images =
      Tensor::empty({static_cast<int64_t>(rows), canvas.height, canvas.width, dataset_.channels()});
  kernels::augment(cpu_context(), dataset_.images().view(), records, batch.images.view());
  if (options_.mix.enabled()) mix(batch);
  return batch;
}

void DataLoader::State::mix(Batch& batch) const {
  // Ranks mix their own batches: the key tells them apart.
  const Shard& shard = sampler_->shard();
  Rng rng(options_.seed, Purpose::Mix,
          static_cast<uint64_t>(batch.index * shard.world + shard.rank),
          static_cast<uint64_t>(batch.epoch));
  batch.mix = draw_mix(options_.mix, rng, batch.groups, static_cast<int>(batch.images.dim(2)),
                       static_cast<int>(batch.images.dim(1)));
  const Tensor mixed = Tensor::empty(batch.images.shape());
  kernels::mix_images(cpu_context(), batch.images.view(), batch.mix, mixed.view());
  batch.images = mixed;
  batch.targets = Tensor::empty({batch.size(), dataset_.classes()});
  kernels::mix_labels(cpu_context(), batch.labels.view(), batch.mix, batch.targets.view());
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
const LoaderOptions& DataLoader::options() const { return state_->options(); }
const ImageDataset& DataLoader::dataset() const { return state_->dataset(); }

}  // namespace ditto::data
