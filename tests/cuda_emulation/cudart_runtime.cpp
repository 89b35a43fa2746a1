#include "tests/cuda_emulation/cudart_runtime.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/cudart_memory.h"
#include "tests/cuda_emulation/simt.h"

namespace ditto::emulation {
namespace {

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

void add_failures(std::map<std::string, std::unordered_set<int>>& failures, const char* text) {
  for (std::string_view rest = text; !rest.empty();) {
    const size_t comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const size_t colon = one.find(':');
    const int nth = colon == std::string_view::npos ? 1 : std::atoi(one.data() + colon + 1);
    failures[std::string(one.substr(0, colon))].insert(nth);
  }
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Pinned memory that the copy is going to read.
uint64_t source_hash(const Work& work) {
  if (work.kind != WorkKind::Copy) return 0;
  for (const Access& access : work.accesses) {
    if (access.write) continue;
    const Allocation* buffer = memory().around(access.pointer);
    if (buffer && buffer->kind == MemoryKind::Pinned)
      return std::hash<std::string_view>()(
          {static_cast<const char*>(access.pointer), access.bytes});
  }
  return 0;
}

}  // namespace

void join(Clock& clock, const Clock& other) {
  if (clock.size() < other.size()) clock.resize(other.size());
  for (size_t i = 0; i < other.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

static void add_devices(Runtime& rt, int count) {
  while (static_cast<int>(rt.devices.size()) < count) {
    auto device = std::make_unique<Device>();
    device->index = static_cast<int>(rt.devices.size());
    device->legacy.device = device->index;
    device->legacy.legacy = true;
    device->legacy.lane = rt.new_lane();
    rt.devices.push_back(std::move(device));
    memory().pools.emplace_back();
    memory().allocated.push_back(0);
  }
}

// Never destroyed: CUDA objects with static storage are released after main.
Runtime& runtime() {
  static Runtime* const instance = [] {
    auto* rt = new Runtime;
    rt->seed = number_from("DITTO_EMU_SEED", 0);
    rt->rng.seed(rt->seed);
    memory().limit = number_from("DITTO_EMU_MEMORY", uint64_t{8} << 30);
    if (const char* text = std::getenv("DITTO_EMU_FAIL")) add_failures(rt->failures, text);
    add_devices(*rt, static_cast<int>(number_from("DITTO_EMU_DEVICES", 1)));
    return rt;
  }();
  return *instance;
}

int& current_device() {
  thread_local int device = 0;
  return device;
}
cudaError_t& last_error() {
  thread_local cudaError_t error = cudaSuccess;
  return error;
}
cudaStreamCaptureMode& thread_capture_mode() {
  thread_local cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  return mode;
}
const void* thread_identity() {
  thread_local char identity;
  return &identity;
}

bool injected_failure(const char* function) {
  Runtime& rt = runtime();
  const int call = ++rt.calls[function];
  const auto found = rt.failures.find(function);
  return found != rt.failures.end() && found->second.erase(call) > 0;
}

Device& Runtime::device() { return *devices[static_cast<size_t>(current_device())]; }

int Runtime::new_lane() {
  if (!free_lanes_.empty()) {
    const int lane = free_lanes_.back();
    free_lanes_.pop_back();
    return lane;
  }
  lane_times_.push_back(0);
  return static_cast<int>(lane_times_.size()) - 1;
}

Stream* Runtime::stream(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return &device().legacy;
  if (handle == cudaStreamPerThread) {
    thread_local std::map<int, cudaStream_t> own;
    cudaStream_t& stream_of_thread = own[current_device()];
    if (!stream_of_thread) {
      auto fresh = std::make_unique<Stream>();
      fresh->device = current_device();
      fresh->lane = new_lane();
      stream_of_thread = reinterpret_cast<cudaStream_t>(fresh.get());
      device().streams.push_back(std::move(fresh));
    }
    handle = stream_of_thread;
  }
  for (const auto& device : devices)
    for (const auto& stream : device->streams)
      if (stream.get() == reinterpret_cast<Stream*>(handle))
        return stream->destroyed ? nullptr : stream.get();
  return nullptr;
}

Event* Runtime::event(cudaEvent_t handle) {
  if (!event_handles.contains(handle)) return nullptr;
  Event* event = reinterpret_cast<Event*>(handle);
  return event->destroyed ? nullptr : event;
}

std::vector<OperationPtr> Runtime::predecessors(Stream& stream) {
  std::vector<OperationPtr> after = std::move(stream.waits);
  stream.waits.clear();
  const auto add = [&](const OperationPtr& operation) {
    if (operation) after.push_back(operation);
  };
  add(stream.last);
  Device& device = *devices[static_cast<size_t>(stream.device)];
  if (stream.legacy) {
    for (const auto& other : device.streams)
      if (!(other->flags & cudaStreamNonBlocking)) add(other->last);
  } else if (!(stream.flags & cudaStreamNonBlocking)) {
    add(device.legacy.last);
  }
  return after;
}

cudaError_t Runtime::submit(Stream& stream, Work work, OperationPtr* operation) {
  if (stream.capture) {
    Capture& capture = *stream.capture;
    if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
    const auto branch = std::find(capture.streams.begin(), capture.streams.end(), &stream);
    capture.graph.nodes.push_back(
        {std::move(work), static_cast<int>(branch - capture.streams.begin()), stream.tail});
    stream.tail = {static_cast<int>(capture.graph.nodes.size()) - 1};
    return cudaSuccess;
  }
  if (stream.legacy)
    if (const cudaError_t error = legacy_call(stream.device); error != cudaSuccess) return error;
  stream.last = submit_after(stream.device, stream.lane, std::move(work), predecessors(stream));
  if (operation) *operation = stream.last;
  return cudaSuccess;
}

OperationPtr Runtime::submit_after(int device, int lane, Work work,
                                   std::vector<OperationPtr> after) {
  auto operation = std::make_shared<Operation>();
  operation->work = std::move(work);
  operation->device = device;
  operation->lane = lane;
  operation->time = ++lane_times_[static_cast<size_t>(lane)];
  operation->serial = ++memory().serial;
  operation->clock = host;
  for (const OperationPtr& before : after) {
    join(operation->clock, before->clock);
    if (before->done) continue;
    before->successors.push_back(operation);
    operation->after.push_back(before);
    ++operation->waiting;
  }
  Clock own(static_cast<size_t>(lane) + 1);
  own.back() = operation->time;
  join(operation->clock, own);
  operation->source_hash = source_hash(operation->work);
  memory().guard_pinned(operation);
  ++pending;
  if (operation->waiting == 0) ready_.push_back(operation);
  return operation;
}

void Runtime::execute(const OperationPtr& operation) {
  Device& device = *devices[static_cast<size_t>(operation->device)];
  Work& work = operation->work;
  const bool kernel = work.kind == WorkKind::Kernel;
  if (kernel && device.error == cudaSuccess && injected_failure("kernel"))
    device.error = cudaErrorIllegalAddress;
  if (device.error == cudaSuccess) {
    current = operation;
    bool possible = true;
    for (const Access& access : work.accesses)
      possible = memory().check_access(operation, access) && possible;
    if (possible && operation->source_hash != 0 && operation->source_hash != source_hash(work))
      report_call("host-write", work.name, work.stack,
                  "pinned memory was changed between the " + work.name +
                      " and the time it ran; submitted\n" + work.stack.text());
    try {
      if (possible && work.run) work.run();
    } catch (const LaunchError&) {  // reported
      device.error = cudaErrorLaunchFailure;
    }
    memory().mark_written(work);
    current = nullptr;
    ++operations_run;
  }
  operation->done = true;
  operation->finished = seconds();
  operation->after.clear();
  --pending;
  for (const OperationPtr& next : operation->successors)
    if (--next->waiting == 0) ready_.push_back(next);
  operation->successors.clear();
  // What the closures hold (a snapshot of a source, a caller's functor) is no longer needed; names
  // stay, for messages.
  work.run = nullptr;
}

void Runtime::advance(const std::vector<OperationPtr>& targets, int extra) {
  // What the targets need, found backwards.
  std::unordered_set<const Operation*> needed;
  std::vector<OperationPtr> open;
  for (const OperationPtr& target : targets)
    if (target && !target->done && needed.insert(target.get()).second) open.push_back(target);
  while (!open.empty()) {
    const OperationPtr operation = std::move(open.back());
    open.pop_back();
    for (const OperationPtr& before : operation->after)
      if (!before->done && needed.insert(before.get()).second) open.push_back(before);
  }
  size_t left = needed.size();
  if ((left == 0 && extra == 0) || ready_.empty()) return;
  memory().open();
  while ((left > 0 || extra > 0) && !ready_.empty()) {
    size_t pick = 0;
    if (seed >= 2) {
      // Any legal operation, needed or not.
      pick = std::uniform_int_distribution<size_t>(0, ready_.size() - 1)(rng);
    } else {
      const auto is_candidate = [&](const OperationPtr& operation) {
        return left == 0 || needed.contains(operation.get());
      };
      if (seed == 0)
        while (!is_candidate(ready_[pick])) ++pick;
      else
        for (pick = ready_.size() - 1; !is_candidate(ready_[pick]);) --pick;
    }
    const OperationPtr operation = ready_[pick];
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(pick));
    if (needed.contains(operation.get()))
      --left;
    else if (left == 0)
      --extra;
    execute(operation);
  }
  memory().close();
}

void Runtime::note_synchronized(const Operation& operation) { join(host, operation.clock); }

void Runtime::synchronize(const std::vector<OperationPtr>& targets) {
  advance(targets, 0);
  for (const OperationPtr& target : targets)
    if (target) note_synchronized(*target);
  memory().unguard_pinned();
}

void Runtime::synchronize_device(int index) {
  Device& device = *devices[static_cast<size_t>(index)];
  std::vector<OperationPtr> targets = {device.legacy.last};
  for (const auto& stream : device.streams) targets.push_back(stream->last);
  synchronize(targets);
  memory().trim(index);
}

void Runtime::progress() { advance({}, static_cast<int>(seed >= 2 ? rng() % 4 : 1)); }

cudaError_t Runtime::unsafe_call() {
  if (thread_capture_mode() == cudaStreamCaptureModeRelaxed) return cudaSuccess;
  cudaError_t error = cudaSuccess;
  for (const auto& capture : captures) {
    const bool own = capture->thread == thread_identity();
    const bool forbidden = capture->mode == cudaStreamCaptureModeGlobal
                               ? own || thread_capture_mode() == cudaStreamCaptureModeGlobal
                               : capture->mode == cudaStreamCaptureModeThreadLocal && own;
    if (!forbidden) continue;
    capture->invalid = true;
    error = cudaErrorStreamCaptureUnsupported;
  }
  return error;
}

cudaError_t Runtime::legacy_call(int device) {
  cudaError_t error = cudaSuccess;
  for (const auto& capture : captures)
    for (const Stream* stream : capture->streams)
      if (stream->device == device && !(stream->flags & cudaStreamNonBlocking)) {
        capture->invalid = true;
        error = cudaErrorStreamCaptureImplicit;
      }
  return error;
}

// cudart.h

void set_seed(uint64_t seed) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  rt.seed = seed;
  rt.rng.seed(seed);
  set_schedule_seed(seed);
}

void set_device_count(int count) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  add_devices(rt, count);
}

uint64_t pending_operations() {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  return rt.pending;
}

void fail_call(const std::string& function, int nth) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  rt.failures[function].insert(rt.calls[function] + nth);
}

void clear_failures() {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  rt.failures.clear();
}

void clear_sticky_error() {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  for (const auto& device : rt.devices) device->error = cudaSuccess;
  last_error() = cudaSuccess;
}

int call_count(const std::string& function) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  return rt.calls[function];
}

int stream_device(cudaStream_t handle) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  const Stream* stream = rt.stream(handle);
  return stream ? stream->device : -1;
}

cudaError_t enqueue(cudaStream_t handle, const std::string& name, std::vector<Access> accesses,
                    std::function<void()> run) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  Stream* stream = rt.stream(handle);
  if (!stream) return cudaErrorInvalidResourceHandle;
  return rt.submit(
      *stream, {name, WorkKind::Kernel, std::move(run), std::move(accesses), CallStack::here()});
}

}  // namespace ditto::emulation
