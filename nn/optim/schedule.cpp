#include "nn/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace ditto::nn {
namespace {

// From `high` at t = 0 to `low` at t = 1 along half a cosine.
double cosine(double high, double low, double t) {
  return low + (high - low) * 0.5 * (1 + std::cos(std::numbers::pi * std::clamp(t, 0.0, 1.0)));
}

}  // namespace

ScheduleOptions::Kind schedule_kind(const std::string& name) {
  using Kind = ScheduleOptions::Kind;
  if (name == "constant") return Kind::Constant;
  if (name == "multistep") return Kind::MultiStep;
  if (name == "cosine") return Kind::Cosine;
  if (name == "onecycle") return Kind::OneCycle;
  fail("[schedule] unknown name '" + name + "': constant, multistep, cosine, onecycle");
}

double learning_rate(const ScheduleOptions& o, int64_t step) {
  check(o.total_steps >= 1 && o.warmup_steps >= 0, "[schedule] bad step counts: total",
        o.total_steps, "warm-up", o.warmup_steps);
  check(o.peak > 0 && o.peak < 1, "[schedule] peak must be inside (0, 1):", o.peak);
  step = std::clamp<int64_t>(step, 0, o.total_steps - 1);
  const double total = static_cast<double>(o.total_steps);
  if (o.kind == ScheduleOptions::Kind::OneCycle) {
    const double up = std::max(1.0, o.peak * total - 1), s = static_cast<double>(step);
    if (s <= up) return cosine(o.initial_factor * o.lr, o.lr, s / up);
    return cosine(o.lr, o.initial_factor * o.lr * 1e-4, (s - up) / std::max(1.0, total - 1 - up));
  }
  if (step < o.warmup_steps)
    return o.lr * static_cast<double>(step + 1) / static_cast<double>(o.warmup_steps);
  switch (o.kind) {
    case ScheduleOptions::Kind::MultiStep: {
      double lr = o.lr;
      for (double milestone : o.milestones)
        if (static_cast<double>(step) >= milestone * total) lr *= o.gamma;
      return lr;
    }
    case ScheduleOptions::Kind::Cosine: {
      const double warm = static_cast<double>(o.warmup_steps);
      return cosine(o.lr, o.final_factor * o.lr,
                    (static_cast<double>(step) - warm) / std::max(1.0, total - warm));
    }
    default:
      return o.lr;
  }
}

}  // namespace ditto::nn
