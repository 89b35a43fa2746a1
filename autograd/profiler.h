// Profiler: wall time per op, per layer and per named region of a training step.
//
// While one is alive on a thread, every differentiable op that the thread runs is timed, forward
// and backward, and booked to the innermost layer that was running when it was recorded. Times are
// exclusive: an op that runs others inside is charged only for the rest. Without a profiler the
// hooks cost one read of a thread-local pointer.
//
//   Profiler profiler;
//   nn::name_layers(profiler, model);
//   { ProfileRegion region("step"); ... }
//   for (const ProfileRow& row : profiler.by_layer()) ...
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace ditto {

class Function;

// Seconds of this thread's wall time; calls counts forwards (of ops and layers) or entries (of
// regions).
struct ProfileRow {
  std::string name;
  int64_t calls = 0;
  double forward = 0, backward = 0;
  double total() const { return forward + backward; }
};

class Profiler {
 public:
  // Starts; the profiler that ran before on this thread continues when this one ends.
  Profiler();
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  // What by_layer() calls the layer at this address.
  void name_layer(const void* layer, std::string name);
  // Forgets the times, not the names.
  void reset();

  // Most expensive first. Regions, such as "optimizer", appear in by_op() with forward time only.
  std::vector<ProfileRow> by_op() const;
  // Layers without a name are booked to "(other)".
  std::vector<ProfileRow> by_layer() const;
  // Seconds inside ops and regions.
  double total() const;

  static Profiler* current();

 private:
  friend class ProfileRegion;
  friend class ProfileBackward;
  friend class ProfileLayer;
  friend void profile_recorded(const Function* node);

  struct Frame {
    const char* op;
    const void* layer;
    double start, inner = 0;  // inner: time of the frames inside
    bool backward;
  };
  struct Times {
    int64_t calls = 0;
    double forward = 0, backward = 0;
    void add(double seconds, bool is_backward);
  };
  void enter(const char* op, const void* layer, bool backward);
  void leave();

  Profiler* outer_;
  const void* layer_ = nullptr;  // the innermost running layer
  std::vector<Frame> frames_;
  std::unordered_map<std::string, Times> ops_;
  std::unordered_map<const void*, Times> layers_;
  std::unordered_map<const void*, std::string> names_;
  std::unordered_map<const Function*, const void*> recorded_;  // whose layer a node belongs to
};

// An op's forward pass, or any part of a step with a name of static lifetime.
class ProfileRegion {
 public:
  explicit ProfileRegion(const char* name) : profiler_(Profiler::current()) {
    if (profiler_) profiler_->enter(name, profiler_->layer_, false);
  }
  ~ProfileRegion() {
    if (profiler_) profiler_->leave();
  }
  ProfileRegion(const ProfileRegion&) = delete;
  ProfileRegion& operator=(const ProfileRegion&) = delete;

 private:
  Profiler* profiler_;
};

// The backward pass of a node.
class ProfileBackward {
 public:
  explicit ProfileBackward(const Function& node);
  ~ProfileBackward() {
    if (profiler_) profiler_->leave();
  }
  ProfileBackward(const ProfileBackward&) = delete;
  ProfileBackward& operator=(const ProfileBackward&) = delete;

 private:
  Profiler* profiler_;
};

// A layer's forward pass: ops inside are booked to it, unless a layer inside takes them.
class ProfileLayer {
 public:
  explicit ProfileLayer(const void* layer) : profiler_(Profiler::current()) {
    if (!profiler_) return;
    outer_ = profiler_->layer_;
    profiler_->layer_ = layer;
    ++profiler_->layers_[layer].calls;
  }
  ~ProfileLayer() {
    if (profiler_) profiler_->layer_ = outer_;
  }
  ProfileLayer(const ProfileLayer&) = delete;
  ProfileLayer& operator=(const ProfileLayer&) = delete;

 private:
  Profiler* profiler_;
  const void* outer_ = nullptr;
};

// Nothing is measured while it lives: an evaluation between the steps of a training.
class ProfilePause {
 public:
  ProfilePause();
  ~ProfilePause();
  ProfilePause(const ProfilePause&) = delete;
  ProfilePause& operator=(const ProfilePause&) = delete;

 private:
  Profiler* profiler_;
};

// Remembers which layer is running for the node's backward.
void profile_recorded(const Function* node);

}  // namespace ditto
