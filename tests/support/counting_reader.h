// A reader of pictures that counts how often it is asked.
#pragma once

#include <atomic>
#include <functional>

#include "data/dataset.h"

namespace ditto::testing {

class CountingReader : public data::ImageReader {
 public:
  explicit CountingReader(std::function<Tensor(int64_t)> picture) : picture_(std::move(picture)) {}
  mutable std::atomic<int> reads = 0;
  Tensor read(int64_t index) const override {
    ++reads;
    return picture_(index);
  }
  std::string fingerprint() const override { return "counting"; }

 private:
  std::function<Tensor(int64_t)> picture_;
};

}  // namespace ditto::testing
