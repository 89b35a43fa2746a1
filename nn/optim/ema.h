// Ema: an exponential moving average of a module's parameters, to evaluate with (Polyak averaging).
//
// Source: Polyak and Juditsky 1992; the running form with warm-up as in Tarvainen and Valpola 2017.
#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace ditto::nn {

struct EmaOptions {
  double decay = 0.999;  // in [0, 1)
  // The t-th update (from 1) uses min(decay, (1 + t) / (10 + t)): a short training is not held back
  // by its first weights.
  bool warmup = true;
};

// average = d average + (1 - d) parameter after each update. Buffers (batch statistics) are not
// averaged: the averaged model uses the module's own, as they are.
class Ema {
 public:
  // Starts with copies of the parameters. The module must outlive this and not change its dtype.
  Ema(const Module& module, const EmaOptions& options);

  // To be called after each step of the optimizer.
  void update();
  // Exchanges the averages with the module's parameters; a second call undoes it.
  void swap();

  // The averages under the parameters' names, aliases of the live ones; together with updates()
  // they are all that a resumed run needs.
  struct NamedState {
    std::string name;
    Tensor tensor;
  };
  std::vector<NamedState> state() const;
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }

 private:
  EmaOptions options_;
  std::vector<NamedParameter> parameters_;
  std::vector<Tensor> averages_;
  int64_t updates_ = 0;
};

// Lets the module have the averaged parameters for as long as the object lives.
class EmaScope {
 public:
  explicit EmaScope(Ema& ema) : ema_(ema) { ema_.swap(); }
  ~EmaScope() { ema_.swap(); }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  Ema& ema_;
};

}  // namespace ditto::nn
