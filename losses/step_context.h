// StepContext: what a training step knows beside the batch itself, for losses that draw random
// numbers, remember samples, or train something of their own; and what such a loss keeps.
//
// A loss is a function; what it keeps between steps is a Module that the training owns (make_state
// in losses.h and pair_losses.h). Its parameters are trained with the network's and its buffers are
// saved with them, so that a resumed training goes on with the same numbers.
#pragma once

#include <vector>

#include "nn/module.h"

namespace ditto::losses {

struct StepContext {
  Tensor samples;      // (n) i64, ids of the rows' images; rows of one id are replicas of one image
  uint64_t seed = 0;   // of the training; random numbers depend on it and the step alone
  uint64_t step = 0;   // calls of the loss before this one: every micro-batch counts
  uint64_t epoch = 0;  // passes over the training set before this one
  nn::Module* state = nullptr;  // made by the loss's make_state; null for losses that keep nothing

  StepContext(const Tensor& ids, nn::Module* kept = nullptr) : samples(ids), state(kept) {}
  operator const Tensor&() const { return samples; }

  // The state as the loss made it. Throws where none or another's is given.
  template <class Kept>
  Kept& state_of(const char* loss) const {
    auto* const kept = dynamic_cast<Kept*>(state);
    check(kept != nullptr, "[losses]", loss, "keeps a state between steps, and was given none");
    return *kept;
  }
};

// The training that a state is made for.
struct TrainingShape {
  int64_t samples = 0;                     // images; their ids are 0 .. samples - 1
  int64_t features = 0;                    // width of what the head reads
  int64_t embeddings = 0;                  // width of what losses of features read
  std::vector<int64_t> class_counts = {};  // images of each class
};

// The share of each class in the training set, a constant.
class ClassShares : public nn::Module {
 public:
  // A class without images counts as one image: no share is 0.
  explicit ClassShares(const std::vector<int64_t>& counts);
  // (K)
  const Tensor& shares() const { return shares_; }

 private:
  Tensor& shares_;
};

}  // namespace ditto::losses
