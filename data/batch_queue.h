// BatchQueue: a sampler's rows cut into batches, which worker threads make ahead of time, epoch
// after epoch; what loaders of images and of instances have in common.
#pragma once

#include <string>

#include "data/prefetch.h"
#include "data/sampler.h"

namespace ditto::data {

// The next batch that a loader returns.
struct LoaderPosition {
  int64_t epoch = 0;
  int64_t batch = 0;
  friend bool operator==(const LoaderPosition&, const LoaderPosition&) = default;
};

struct QueueOptions {
  std::string name = {};  // of the data set, for messages
  int64_t images = 0;     // in the data set
  int64_t batch = 1;      // rows
  bool drop_last = false;
  int workers = 1;
  int prefetch = 0;
};

// What the options of the loaders have in common.
template <class Dataset, class Options>
QueueOptions queue_options(const Dataset& dataset, const Options& options) {
  return {.name = dataset.name(),
          .images = dataset.size(),
          .batch = options.batch,
          .drop_last = options.drop_last,
          .workers = options.workers,
          .prefetch = options.prefetch};
}

// `Result` is what workers make; what becomes of it has size(), its rows.
template <class Result>
class BatchQueue {
 public:
  using Make =
      std::function<Result(int64_t epoch, int64_t index, std::span<const SampleItem> items)>;

  // Throws "[loader] ..." on options out of range or a sampler for another number of images.
  BatchQueue(const QueueOptions& options, std::shared_ptr<const Sampler> sampler, Make make)
      : options_(options),
        sampler_(std::move(sampler)),
        make_(std::move(make)),
        prefetch_(checked(options).workers, options.prefetch) {
    check(sampler_ != nullptr, "[loader] needs a sampler");
    check(sampler_->dataset_size() == options.images, "[loader] the sampler is for",
          sampler_->dataset_size(), "images, the data set has", options.images);
  }

  // finish(batch at position()), or nothing at the end of the epoch; the call after that starts the
  // next epoch. What has no rows is passed over. An exception is thrown here; a further call tries
  // that batch again. Throws when a whole epoch has no row.
  template <class Finish>
  auto next(Finish finish) -> std::optional<decltype(finish(std::declval<Result>()))> {
    while (position_.batch < batches()) {
      Result made = prefetch_.take();
      try {
        auto batch = finish(std::move(made));
        ++position_.batch;
        left_out_ = batch.size() > 0 ? 0 : left_out_ + 1;
        if (batch.size() > 0) return batch;
      } catch (...) {
        prefetch_.stop();
        throw;
      }
      check(left_out_ < batches(),
            "[loader] no image of a whole epoch can be read:", options_.name);
    }
    prefetch_.stop();
    position_ = {position_.epoch + 1, 0};
    return std::nullopt;
  }
  std::optional<Result> next() {
    return next([](Result made) { return made; });
  }

  // What the next call will finish, if it is made already; nothing at the end of the epoch.
  Result* peek() { return prefetch_.peek(); }

  // Of the current epoch. Throws when it has none.
  int64_t batches() {
    start();
    return epoch_->batches;
  }
  const LoaderPosition& position() const { return position_; }
  // Throws when an index is negative or the epoch has fewer batches.
  void seek(const LoaderPosition& position) {
    check(position.epoch >= 0 && position.batch >= 0, "[loader] cannot seek to epoch",
          position.epoch, "batch", position.batch);
    const std::shared_ptr<const Epoch> target = plan(position.epoch);
    check(position.batch <= target->batches, "[loader] cannot seek to batch", position.batch, "of",
          target->batches, "in epoch", position.epoch);
    prefetch_.stop();
    position_ = position;
  }

 private:
  struct Epoch {
    int64_t batches;
    std::vector<SampleItem> order;
  };

  static const QueueOptions& checked(const QueueOptions& options) {
    check(options.batch >= 1, "[loader] batch must be at least 1, got", options.batch);
    check(options.workers >= 0 && options.workers <= 1024,
          "[loader] workers must be in [0, 1024], got", options.workers);
    check(options.prefetch >= 0 && options.prefetch <= 4096,
          "[loader] prefetch must be 0 to 4096 batches, got", options.prefetch);
    return options;
  }

  std::shared_ptr<const Epoch> plan(int64_t number) const {
    std::vector<SampleItem> order = sampler_->order(number);
    const auto rows = static_cast<int64_t>(order.size());
    const int64_t batches = (rows + (options_.drop_last ? 0 : options_.batch - 1)) / options_.batch;
    check(batches > 0, "[loader] epoch", number, "of", options_.name, "has", rows,
          "rows, which is not one batch of", options_.batch);
    return std::make_shared<const Epoch>(Epoch{batches, std::move(order)});
  }

  // Lets the workers run on the current epoch, from position_ on.
  void start() {
    if (prefetch_.running()) return;
    epoch_ = plan(position_.epoch);
    prefetch_.start(
        [this, epoch = epoch_, number = position_.epoch](int64_t index) {
          const auto first = static_cast<size_t>(index * options_.batch);
          const size_t rows =
              std::min(static_cast<size_t>(options_.batch), epoch->order.size() - first);
          return make_(number, index, std::span(epoch->order).subspan(first, rows));
        },
        position_.batch, epoch_->batches);
  }

  const QueueOptions options_;
  const std::shared_ptr<const Sampler> sampler_;
  const Make make_;
  LoaderPosition position_;
  int64_t left_out_ = 0;                // batches without rows, since the last one with
  std::shared_ptr<const Epoch> epoch_;  // the current one, while prefetch_ runs
  Prefetch<Result> prefetch_;           // last member: its threads end before the others go
};

}  // namespace ditto::data
