// What --profile prints: the time of a training step per op and per layer.
#pragma once

#include <string>

#include "autograd/profiler.h"

namespace ditto::apps {

// Two tables, most expensive first: milliseconds per step of every op (and region), and of the
// `layers` most expensive layers. `steps` is the number of steps measured.
std::string profile_text(const Profiler& profiler, int64_t steps, size_t layers = 30);
// One line per op and per layer: kind,name,calls,forward_ms,backward_ms, per step.
std::string profile_csv(const Profiler& profiler, int64_t steps);

}  // namespace ditto::apps
