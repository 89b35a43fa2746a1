// The inside of the cudart double: operations, the order between them, and their delayed execution.
//
// Everything that a program submits (kernel, copy, memset, event record, library call) becomes an
// Operation with edges to what must come before it: the previous operation of its stream, the
// events it waits for, the default stream. Nothing runs until the host synchronises; then
// operations run in a seeded random order that respects the edges, as they might on hardware.
// Vector clocks, one component per stream, tell afterwards whether two operations were ordered at
// all.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "tests/cuda_emulation/call_stack.h"
#include "tests/cuda_emulation/cudart_access.h"

namespace ditto::emulation {

enum class WorkKind { Kernel, Copy, Marker, Allocate, Free, Host };

// What to do; part of a stream's operations or of a graph. `run` may be called many times.
struct Work {
  std::string name;
  WorkKind kind = WorkKind::Marker;
  std::function<void()> run;
  std::vector<Access> accesses;
  CallStack stack{};
};

// Position of every lane (stream or graph branch) that is known to have been reached.
using Clock = std::vector<uint64_t>;
void join(Clock& clock, const Clock& other);

struct Operation;
using OperationPtr = std::shared_ptr<Operation>;

struct Operation {
  Work work;
  int device = 0;
  int lane = 0;
  uint64_t time = 0;    // in its lane
  uint64_t serial = 0;  // among operations and allocations
  Clock clock;          // everything ordered before this, and this
  std::vector<OperationPtr> after, successors;
  int waiting = 0;  // predecessors that have not run
  bool done = false;
  uint64_t source_hash = 0;  // of pinned host memory that a copy is going to read
  double finished = 0;       // seconds

  bool comes_after(int other_lane, uint64_t other_time) const {
    return static_cast<size_t>(other_lane) < clock.size() &&
           clock[static_cast<size_t>(other_lane)] >= other_time;
  }
};

struct Capture;

struct Stream {
  int device = 0;
  unsigned flags = cudaStreamDefault;
  int priority = 0;
  int lane = 0;
  unsigned long long id = 0;
  bool legacy = false, destroyed = false;
  OperationPtr last;
  std::vector<OperationPtr> waits;
  std::shared_ptr<Capture> capture;  // while captured into
  std::vector<int> tail;             // nodes that the next captured one depends on
};

struct Event {
  int device = 0;
  unsigned flags = cudaEventDefault;
  bool destroyed = false;
  OperationPtr recorded;
  std::shared_ptr<Capture> capture;  // when recorded in a capture
  std::vector<int> tail;
};

struct Node {
  Work work;
  int branch = 0;  // streams of the capture, numbered
  std::vector<int> after;
};

// Memory of allocation nodes: it keeps its address for the life of the graph.
struct GraphMemory;

struct Graph {
  std::vector<Node> nodes;
  int device = 0;
  int branches = 0;
  std::vector<std::shared_ptr<GraphMemory>> memory;
};

struct Capture {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  unsigned long long id = 0;
  Stream* origin = nullptr;
  std::vector<Stream*> streams;
  const void* thread = nullptr;
  bool invalid = false, ended = false;
  Graph graph;
};

struct Device {
  int index = 0;
  Stream legacy;
  std::vector<std::unique_ptr<Stream>> streams;  // never shrinks: old handles stay recognisable
  cudaError_t error = cudaSuccess;               // sticky: the context is lost
};

class Runtime {
 public:
  // Everything below needs `mutex`; the doubles take it once per call.
  std::recursive_mutex mutex;
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<std::unique_ptr<Event>> events;
  std::unordered_set<const void*> event_handles;
  std::vector<std::shared_ptr<Capture>> captures;  // active ones
  std::map<std::string, int> calls;
  std::map<std::string, std::unordered_set<int>> failures;
  std::mt19937_64 rng;
  uint64_t seed = 0;
  uint64_t operations_run = 0, pending = 0;
  OperationPtr current;  // while one runs
  Clock host;            // what the host has synchronised with

  Device& device();  // the calling thread's
  // The stream behind a handle, or null when there is none (or no longer).
  Stream* stream(cudaStream_t handle);
  Event* event(cudaEvent_t handle);
  int new_lane();
  void release_lane(int lane) { free_lanes_.push_back(lane); }

  // Appends to a stream, or to the graph that it captures into.
  cudaError_t submit(Stream& stream, Work work, OperationPtr* operation = nullptr);
  // Appends with given predecessors: a node of a launched graph.
  OperationPtr submit_after(int device, int lane, Work work, std::vector<OperationPtr> after);
  // What a next operation of the stream has to wait for.
  std::vector<OperationPtr> predecessors(Stream& stream);

  // Runs what `targets` need, and by chance more; the host has then synchronised with them.
  void synchronize(const std::vector<OperationPtr>& targets);
  void synchronize_device(int device);
  // Lets a few operations pass, as time would; for queries.
  void progress();
  // Only takes note that the host knows the operation to be complete.
  void note_synchronized(const Operation& operation);

  // Error that a call which may not happen during a capture has to return; invalidates captures.
  cudaError_t unsafe_call();
  // Captures that a use of the legacy stream would have to join.
  cudaError_t legacy_call(int device);

 private:
  void advance(const std::vector<OperationPtr>& targets, int extra);
  void execute(const OperationPtr& operation);

  std::vector<OperationPtr> ready_;
  std::vector<uint64_t> lane_times_;
  std::vector<int> free_lanes_;
};

Runtime& runtime();
int& current_device();
cudaError_t& last_error();
cudaStreamCaptureMode& thread_capture_mode();
const void* thread_identity();

// True when the test or the environment asked this call of `function` to fail.
bool injected_failure(const char* function);

// One call of the runtime API: counts it, fails it where asked, keeps errors as CUDA does.
template <class F>
cudaError_t api_call(const char* function, F&& body, cudaError_t injected = cudaErrorUnknown) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  cudaError_t error = cudaSuccess;
  if (rt.current)
    error = cudaErrorNotPermitted;  // CUDA calls in a host function
  else if (rt.devices.empty())
    error = cudaErrorNoDevice;
  else if (rt.device().error != cudaSuccess)
    error = rt.device().error;
  else if (injected_failure(function))
    error = injected;
  else
    error = body(rt);
  if (error != cudaSuccess) last_error() = error;
  return error;
}

}  // namespace ditto::emulation
