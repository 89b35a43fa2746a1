#include "autograd/profiler.h"

#include <algorithm>
#include <chrono>

#include "autograd/function.h"

namespace ditto {
namespace {

thread_local Profiler* current_profiler = nullptr;

double now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

std::vector<ProfileRow> sorted(std::vector<ProfileRow> rows) {
  std::sort(rows.begin(), rows.end(), [](const ProfileRow& a, const ProfileRow& b) {
    return a.total() != b.total() ? a.total() > b.total() : a.name < b.name;
  });
  return rows;
}

}  // namespace

Profiler::Profiler() : outer_(current_profiler) { current_profiler = this; }
Profiler::~Profiler() { current_profiler = outer_; }
Profiler* Profiler::current() { return current_profiler; }

ProfilePause::ProfilePause() : profiler_(current_profiler) { current_profiler = nullptr; }
ProfilePause::~ProfilePause() { current_profiler = profiler_; }

void Profiler::name_layer(const void* layer, std::string name) { names_[layer] = std::move(name); }

void Profiler::reset() {
  ops_.clear();
  layers_.clear();
}

void Profiler::Times::add(double seconds, bool is_backward) {
  (is_backward ? backward : forward) += seconds;
}

void Profiler::enter(const char* op, const void* layer, bool backward) {
  // What a backward pass computes with other ops is part of it.
  if (!frames_.empty() && frames_.back().backward) {
    layer = frames_.back().layer;
    backward = true;
  }
  frames_.push_back({op, layer, now(), 0, backward});
}

void Profiler::leave() {
  const Frame frame = frames_.back();
  frames_.pop_back();
  const double seconds = now() - frame.start;
  if (!frames_.empty()) frames_.back().inner += seconds;
  const double own = seconds - frame.inner;
  Times& op = ops_[frame.op];
  op.calls += !frame.backward;
  op.add(own, frame.backward);
  layers_[frame.layer].add(own, frame.backward);
}

std::vector<ProfileRow> Profiler::by_op() const {
  std::vector<ProfileRow> rows;
  for (const auto& [name, t] : ops_) rows.push_back({name, t.calls, t.forward, t.backward});
  return sorted(std::move(rows));
}

std::vector<ProfileRow> Profiler::by_layer() const {
  std::vector<ProfileRow> rows;
  ProfileRow other{.name = "(other)"};
  for (const auto& [layer, t] : layers_) {
    const auto name = names_.find(layer);
    if (name != names_.end()) {
      rows.push_back({name->second, t.calls, t.forward, t.backward});
    } else {
      other.calls += t.calls;
      other.forward += t.forward;
      other.backward += t.backward;
    }
  }
  if (other.total() > 0) rows.push_back(other);
  return sorted(std::move(rows));
}

double Profiler::total() const {
  double seconds = 0;
  for (const auto& [name, t] : ops_) seconds += t.forward + t.backward;
  return seconds;
}

ProfileBackward::ProfileBackward(const Function& node) : profiler_(Profiler::current()) {
  if (!profiler_) return;
  const auto place = profiler_->recorded_.find(&node);
  const void* layer = nullptr;
  if (place != profiler_->recorded_.end()) {
    layer = place->second;
    // A node's address may serve another one later, and most graphs are walked once.
    profiler_->recorded_.erase(place);
  }
  profiler_->enter(node.name(), layer, true);
}

void profile_recorded(const Function* node) {
  if (Profiler* profiler = Profiler::current()) profiler->recorded_[node] = profiler->layer_;
}

}  // namespace ditto
