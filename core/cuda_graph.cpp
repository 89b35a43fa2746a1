#include "core/cuda_graph.h"

#include <utility>

#include "core/cuda_memory.h"
#include "core/on_device.h"

namespace ditto {
namespace {

constexpr auto kTableBytes = static_cast<int64_t>(GraphCapture::kMostNumbers * sizeof(int64_t));

struct GraphOwner {
  cudaGraph_t graph = nullptr;
  GraphOwner() = default;
  ~GraphOwner() {
    if (graph) cudaGraphDestroy(graph);
  }
  GraphOwner(const GraphOwner&) = delete;
  GraphOwner& operator=(const GraphOwner&) = delete;
};

}  // namespace

// The calling thread's context records while it lives: on a stream of its own, because what other
// threads put on the compute stream is none of the graph's, and with scratch memory of the graph.
class CudaGraph::Recording {
 public:
  Recording(CudaContext& ctx, GraphMemory& memory, GraphCapture& host)
      : ctx_(ctx), stream_(ctx.index()), guard_(stream_), memory_(memory) {
    // Thread-local: other threads may allocate and wait meanwhile.
    cuda_check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal),
               "cudaStreamBeginCapture");
    workspace_ = std::exchange(ctx.workspace_, {});
    cublas_workspace_ = std::exchange(ctx.cublas_workspace_, {});
    forget_streams();
    detail::current_capture = &host;
  }
  ~Recording() {
    if (!ended_) {  // an error is on its way
      GraphOwner unfinished;
      if (cudaStreamEndCapture(stream_.get(), &unfinished.graph) != cudaSuccess) cudaGetLastError();
    }
    detail::current_capture = nullptr;
    for (CudaContext::Scratch* scratch : {&ctx_.workspace_, &ctx_.cublas_workspace_})
      cuda_release(ctx_.index(), scratch->memory, scratch->bytes, scratch->stream);
    ctx_.workspace_ = workspace_;
    ctx_.cublas_workspace_ = cublas_workspace_;
    forget_streams();
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void end(cudaGraph_t* graph) {
    ended_ = true;
    cuda_check(cudaStreamEndCapture(stream_.get(), graph), "cudaStreamEndCapture");
  }

 private:
  // The handles are on another stream from now on; that of a former graph may have had the address
  // of this one.
  void forget_streams() { ctx_.cublas_stream_ = ctx_.cudnn_stream_ = nullptr; }

  CudaContext& ctx_;
  Stream stream_;
  StreamGuard guard_;
  GraphMemoryScope memory_;
  CudaContext::Scratch workspace_, cublas_workspace_;  // of the thread's ordinary work
  bool ended_ = false;
};

CudaGraph::CudaGraph(int device) : device_(device) { cuda_context(device); }

CudaGraph::~CudaGraph() {
  // Launches that are under way are finished first; errors are ignored: at the end of a process the
  // driver may be gone.
  if (exec_ && cudaGraphExecDestroy(exec_) != cudaSuccess) cudaGetLastError();
  if (table_) cuda_release(device_, table_, kTableBytes, stream_);
}

void CudaGraph::capture(const std::function<void()>& work) {
  check(!captured(), "[cuda graph] a graph is captured once");
  check(!current_capture(), "[cuda graph] a capture is under way on this thread");
  CudaContext& ctx = cuda_context(device_);
  ctx.fault();  // pinned memory, which no capture can allocate
  thread_ = std::this_thread::get_id();
  stream_ = ctx.stream();
  const auto memory = std::make_shared<GraphMemory>(device_, stream_);
  if (table_) cuda_release(device_, std::exchange(table_, nullptr), kTableBytes, stream_);
  table_ = cuda_allocate(ctx, kTableBytes, stream_);
  host_ = std::make_unique<GraphCapture>(static_cast<int64_t*>(table_));
  GraphOwner recorded;
  {
    Recording recording(ctx, *memory, *host_);
    work();
    recording.end(&recorded.graph);
  }
  size_t nodes = 0;
  cuda_check(cudaGraphGetNodes(recorded.graph, nullptr, &nodes), "cudaGraphGetNodes");
  cuda_check(cudaGraphInstantiate(&exec_, recorded.graph, 0), "cudaGraphInstantiate of", nodes,
             "nodes");
  nodes_ = static_cast<int64_t>(nodes);
  memory_ = memory;
}

void CudaGraph::replay() {
  check(captured(), "[cuda graph] nothing was captured");
  refuse_capture("a replay", "graphs do not nest");
  check(std::this_thread::get_id() == thread_,
        "[cuda graph] replay on another thread than that of the capture");
  CudaContext& ctx = cuda_context(device_);
  check(ctx.stream() == stream_, "[cuda graph] replay on another stream than that of the capture");
  for (const auto& action : host_->actions_) action();
  if (!host_->numbers_.empty())
    staging_.send(ctx, host_->numbers_.data(), host_->numbers_.size() * sizeof(int64_t), table_);
  cuda_check(cudaGraphLaunch(exec_, stream_), "cudaGraphLaunch of", nodes_, "nodes");
}

}  // namespace ditto
