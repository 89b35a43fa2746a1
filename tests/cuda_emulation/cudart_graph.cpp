// Stream capture and graphs of the cudart double: captured work becomes nodes with the edges that
// streams and events gave them; a launch submits them again, branches side by side.
#include <algorithm>

#include "tests/cuda_emulation/cudart_memory.h"
#include "tests/cuda_emulation/cudart_runtime.h"

namespace ditto::emulation {
namespace {

struct GraphExec {
  std::shared_ptr<Graph> graph;
  bool auto_free = false;
  std::vector<int> lanes;  // of branches; the first is that of the launching stream
  OperationPtr last;       // launches of one executable graph follow each other
};

// Handles are the addresses of these.
std::map<const void*, std::shared_ptr<Graph>>& graphs() {
  static auto* const all = new std::map<const void*, std::shared_ptr<Graph>>;
  return *all;
}
std::map<const void*, std::shared_ptr<GraphExec>>& execs() {
  static auto* const all = new std::map<const void*, std::shared_ptr<GraphExec>>;
  return *all;
}

template <class T>
std::shared_ptr<T> find(const std::map<const void*, std::shared_ptr<T>>& all, const void* handle) {
  const auto found = all.find(handle);
  return found == all.end() ? nullptr : found->second;
}

cudaError_t begin(Runtime& rt, Stream* stream, cudaStreamCaptureMode mode) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  // The default stream cannot be captured, and no stream twice.
  if (stream->legacy) return cudaErrorStreamCaptureUnsupported;
  if (stream->capture) return cudaErrorIllegalState;
  auto capture = std::make_shared<Capture>();
  static unsigned long long next_id = 1;
  capture->id = next_id++;
  capture->mode = mode;
  capture->origin = stream;
  capture->streams = {stream};
  capture->thread = thread_identity();
  capture->graph.device = stream->device;
  stream->capture = capture;
  stream->tail.clear();
  rt.captures.push_back(std::move(capture));
  return cudaSuccess;
}

// True when the origin waits, directly or not, for every node.
bool joined(const Capture& capture) {
  std::vector<char> reached(capture.graph.nodes.size());
  std::vector<int> open = capture.origin->tail;
  while (!open.empty()) {
    const auto node = static_cast<size_t>(open.back());
    open.pop_back();
    if (reached[node]) continue;
    reached[node] = 1;
    const std::vector<int>& after = capture.graph.nodes[node].after;
    open.insert(open.end(), after.begin(), after.end());
  }
  return std::find(reached.begin(), reached.end(), 0) == reached.end();
}

cudaError_t end(Runtime& rt, Stream* stream, cudaGraph_t* handle) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (handle) *handle = nullptr;
  if (!stream->capture) return cudaErrorIllegalState;
  const std::shared_ptr<Capture> capture = stream->capture;
  if (capture->origin != stream) {
    capture->invalid = true;
    return cudaErrorStreamCaptureUnmatched;
  }
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != thread_identity())
    return cudaErrorStreamCaptureWrongThread;
  cudaError_t error = cudaSuccess;
  if (capture->invalid)
    error = cudaErrorStreamCaptureInvalidated;
  else if (!joined(*capture))
    error = cudaErrorStreamCaptureUnjoined;
  capture->ended = true;
  for (Stream* member : capture->streams) {
    member->capture = nullptr;
    member->tail.clear();
  }
  std::erase(rt.captures, capture);
  capture->graph.branches = static_cast<int>(capture->streams.size());
  auto graph = std::make_shared<Graph>(std::move(capture->graph));
  if (error != cudaSuccess) return error;
  if (!handle) return cudaErrorInvalidValue;
  *handle = reinterpret_cast<cudaGraph_t>(graph.get());
  graphs()[graph.get()] = std::move(graph);
  return cudaSuccess;
}

cudaError_t instantiate(cudaGraphExec_t* handle, cudaGraph_t graph, unsigned long long flags) {
  const auto source = find(graphs(), graph);
  if (!handle || !source) return cudaErrorInvalidValue;
  if (flags & ~static_cast<unsigned long long>(cudaGraphInstantiateFlagAutoFreeOnLaunch |
                                               cudaGraphInstantiateFlagUseNodePriority))
    return cudaErrorInvalidValue;
  auto exec = std::make_shared<GraphExec>();
  exec->graph = source;  // graphs do not change after their capture
  exec->auto_free = flags & cudaGraphInstantiateFlagAutoFreeOnLaunch;
  *handle = reinterpret_cast<cudaGraphExec_t>(exec.get());
  execs()[exec.get()] = std::move(exec);
  return cudaSuccess;
}

// Memory of earlier launches that nobody freed.
cudaError_t free_leftovers(Runtime& rt, GraphExec& exec, Stream& stream) {
  for (const auto& graph_memory : exec.graph->memory) {
    if (!graph_memory->kept) continue;
    if (!exec.auto_free) return cudaErrorInvalidValue;
    rt.submit(stream, {"free before launch",
                       WorkKind::Free,
                       [graph_memory] {
                         graph_memory->live = false;
                         memory().leave(graph_memory->begin, graph_memory->bytes);
                       },
                       {{graph_memory->begin, graph_memory->bytes, true}},
                       CallStack::here()});
  }
  return cudaSuccess;
}

cudaError_t launch_graph(Runtime& rt, cudaGraphExec_t handle, Stream* stream) {
  const auto exec = find(execs(), handle);
  if (!exec) return cudaErrorInvalidValue;
  if (!stream || stream->device != exec->graph->device) return cudaErrorInvalidResourceHandle;
  if (stream->capture) {
    stream->capture->invalid = true;
    return cudaErrorStreamCaptureUnsupported;  // child graphs are not emulated
  }
  if (stream->legacy)
    if (const cudaError_t error = rt.legacy_call(stream->device); error != cudaSuccess)
      return error;
  if (const cudaError_t error = free_leftovers(rt, *exec, *stream); error != cudaSuccess)
    return error;
  while (static_cast<int>(exec->lanes.size()) < exec->graph->branches)
    exec->lanes.push_back(rt.new_lane());

  std::vector<OperationPtr> before = rt.predecessors(*stream);
  if (exec->last) before.push_back(exec->last);
  const std::vector<Node>& nodes = exec->graph->nodes;
  std::vector<OperationPtr> operations;
  std::vector<char> is_leaf(nodes.size(), 1);
  for (const Node& node : nodes) {
    std::vector<OperationPtr> after;
    for (int index : node.after) {
      after.push_back(operations[static_cast<size_t>(index)]);
      is_leaf[static_cast<size_t>(index)] = 0;
    }
    if (node.after.empty()) after = before;
    const int lane =
        node.branch == 0 ? stream->lane : exec->lanes[static_cast<size_t>(node.branch)];
    Work work = node.work;
    if (work.run)  // keeps the graph's memory
      work.run = [run = node.work.run, graph = exec->graph] { run(); };
    operations.push_back(rt.submit_after(stream->device, lane, std::move(work), std::move(after)));
  }
  std::vector<OperationPtr> leaves = std::move(before);
  for (size_t i = 0; i < nodes.size(); ++i)
    if (is_leaf[i]) leaves.push_back(operations[i]);
  stream->last = exec->last = rt.submit_after(
      stream->device, stream->lane, {"end of graph", WorkKind::Marker, nullptr, {}, CallStack{}},
      std::move(leaves));
  for (const auto& graph_memory : exec->graph->memory)
    graph_memory->kept = !graph_memory->freed_inside;
  return cudaSuccess;
}

// The new graph must have the same nodes and edges.
cudaError_t update(cudaGraphExec_t handle, cudaGraph_t graph,
                   cudaGraphExecUpdateResultInfo* result) {
  const auto exec = find(execs(), handle);
  const auto source = find(graphs(), graph);
  if (!exec || !source || !result) return cudaErrorInvalidValue;
  *result = {cudaGraphExecUpdateSuccess, nullptr, nullptr};
  const auto differs = [&](cudaGraphExecUpdateResult why) {
    result->result = why;
    return cudaErrorGraphExecUpdateFailure;
  };
  const Graph &from = *exec->graph, &to = *source;
  if (!to.memory.empty() || !from.memory.empty())
    return differs(cudaGraphExecUpdateErrorNotSupported);
  if (from.nodes.size() != to.nodes.size() || from.branches != to.branches)
    return differs(cudaGraphExecUpdateErrorTopologyChanged);
  for (size_t i = 0; i < to.nodes.size(); ++i) {
    if (from.nodes[i].after != to.nodes[i].after)
      return differs(cudaGraphExecUpdateErrorTopologyChanged);
    if (from.nodes[i].work.kind != to.nodes[i].work.kind)
      return differs(cudaGraphExecUpdateErrorNodeTypeChanged);
    if (from.nodes[i].work.name != to.nodes[i].work.name)
      return differs(cudaGraphExecUpdateErrorFunctionChanged);
  }
  exec->graph = source;
  return cudaSuccess;
}

}  // namespace
}  // namespace ditto::emulation

using namespace ditto::emulation;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return api_call("cudaStreamBeginCapture",
                  [&](Runtime& rt) { return begin(rt, rt.stream(stream), mode); });
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return api_call("cudaStreamEndCapture",
                  [&](Runtime& rt) { return end(rt, rt.stream(stream), graph); });
}
cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return api_call("cudaStreamIsCapturing", [&](Runtime& rt) {
    const Stream* stream = rt.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    *status = !stream->capture           ? cudaStreamCaptureStatusNone
              : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    return stream->legacy ? rt.legacy_call(stream->device) : cudaSuccess;
  });
}
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return api_call("cudaThreadExchangeStreamCaptureMode", [&](Runtime&) {
    std::swap(*mode, thread_capture_mode());
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                 unsigned long long flags) {
  return api_call("cudaGraphInstantiate",
                  [&](Runtime&) { return instantiate(exec, graph, flags); });
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph,
                                          unsigned long long flags) {
  return cudaGraphInstantiate(exec, graph, flags);
}
cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream) {
  return api_call("cudaGraphUpload", [&](Runtime& rt) {
    return find(execs(), exec) && rt.stream(stream) ? cudaSuccess : cudaErrorInvalidValue;
  });
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return api_call("cudaGraphLaunch",
                  [&](Runtime& rt) { return launch_graph(rt, exec, rt.stream(stream)); });
}
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* result) {
  return api_call("cudaGraphExecUpdate", [&](Runtime&) { return update(exec, graph, result); });
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return api_call("cudaGraphGetNodes", [&](Runtime&) {
    const auto source = find(graphs(), graph);
    if (!source || !count) return cudaErrorInvalidValue;
    if (nodes)  // opaque, distinct addresses
      for (size_t i = 0; i < std::min(*count, source->nodes.size()); ++i)
        nodes[i] = reinterpret_cast<cudaGraphNode_t>(&source->nodes[i]);
    *count = source->nodes.size();
    return cudaSuccess;
  });
}

// Launches that have been submitted keep what they need.
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return api_call("cudaGraphDestroy", [&](Runtime&) {
    return graphs().erase(graph) ? cudaSuccess : cudaErrorInvalidValue;
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return api_call("cudaGraphExecDestroy", [&](Runtime& rt) {
    const auto found = find(execs(), exec);
    if (!found) return cudaErrorInvalidValue;
    for (int lane : found->lanes) rt.release_lane(lane);
    execs().erase(exec);
    return cudaSuccess;
  });
}

}  // extern "C"
