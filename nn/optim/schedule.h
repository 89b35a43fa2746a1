// Learning-rate schedules as functions of the step: no state, so a resumed run needs nothing but
// its step number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ditto::nn {

struct ScheduleOptions {
  enum class Kind { Constant, MultiStep, Cosine, OneCycle } kind = Kind::Constant;
  double lr = 0.1;           // the peak rate
  int64_t total_steps = 1;   // steps of the whole training
  int64_t warmup_steps = 0;  // linear from lr / warmup_steps to lr; not used by OneCycle
  std::vector<double> milestones = {0.5, 0.75};  // MultiStep: fractions of total_steps
  double gamma = 0.1;                            // MultiStep: factor at each milestone
  double final_factor = 0;                       // Cosine: last rate / lr
  double peak = 0.3;                             // OneCycle: fraction of the steps up to the peak
  double initial_factor =
      0.04;  // OneCycle: first rate / lr; the last is this / 1e4, both ways cosine
};

// "constant", "multistep", "cosine", "onecycle"; anything else throws with the list.
ScheduleOptions::Kind schedule_kind(const std::string& name);

// The rate of step `step` (0-based). Steps past the end keep the last rate.
// Sources: cosine, Loshchilov and Hutter 2017 (without restarts); one cycle, Smith and Topin 2018,
// PyTorch's defaults.
double learning_rate(const ScheduleOptions& options, int64_t step);

}  // namespace ditto::nn
