// What the kernels that call oneDNN share: engine and stream, status checks, the number of threads,
// and Primitive, a compiled oneDNN operation with its memory objects. Private to kernels/*.cpp.
#pragma once

#include <dnnl.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

#include "core/context.h"

namespace ditto::kernels::onednn {

// Throws "[onednn] <what> failed: <status>" unless the status is success.
void check_status(dnnl_status_t status, const char* what);

// The CPU engine of the process (never destroyed: entries of thread-local caches refer to it), and
// the calling thread's stream on it.
dnnl_engine_t engine();
dnnl_stream_t stream();

// While alive, oneDNN uses ctx.threads OpenMP threads in this thread. A primitive splits its work
// when it is created, so create and execute it under the same number: threads() belongs in cache
// keys. It is 1 inside a parallel region, and always when ditto is built without OpenMP (oneDNN's
// own library uses it all the same).
class ThreadScope {
 public:
  explicit ThreadScope(const CpuContext& ctx);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

  int threads() const { return threads_; }

 private:
  int threads_ = 1;
  int saved_threads_ = 1;
  [[maybe_unused]] int saved_dynamic_ = 0;
};

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* handle) const noexcept {
    destroy(handle);
  }
};
template <class Handle, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;

using PrimitiveDesc = Owned<dnnl_primitive_desc_t, dnnl_primitive_desc_destroy>;

// Description of a dense tensor whose logical dimensions are stored in the order `tag`.
dnnl_memory_desc_t memory_desc(std::initializer_list<int64_t> dims, dnnl_format_tag_t tag);
// Description of an absent tensor, e.g. no bias.
inline dnnl_memory_desc_t no_desc() { return {}; }

// The implementation oneDNN chose for an operation (scratch memory is ours), or null where it has
// none.
PrimitiveDesc describe(const_dnnl_op_desc_t operation);
// Its name, e.g. "jit:avx2".
std::string_view implementation(const PrimitiveDesc& desc);
// A layout it asks for, e.g. dnnl_query_weights_md.
dnnl_memory_desc_t layout(const PrimitiveDesc& desc, dnnl_query_t what);

// One tensor of a call: its role (DNNL_ARG_SRC, ...) and where its elements are.
struct Argument {
  int role;
  const void* data;
};

// A compiled operation. execute() sets pointers and runs; our side of it calls no malloc. Not
// shared between threads: each keeps its own (oneDNN shares the compiled code among them).
class Primitive {
 public:
  struct Role {
    int role;
    dnnl_memory_desc_t desc;
  };
  // Roles described as absent are left out.
  Primitive(PrimitiveDesc desc, std::initializer_list<Role> roles);

  // One argument for every role given to the constructor; null for those left out. Outputs are
  // written through `data`.
  void execute(std::initializer_list<Argument> arguments);

 private:
  static constexpr int kMaxArguments = 5;

  Owned<dnnl_primitive_t, dnnl_primitive_destroy> primitive_;
  std::array<Owned<dnnl_memory_t, dnnl_memory_destroy>, kMaxArguments> memories_;
  std::array<dnnl_exec_arg_t, kMaxArguments> arguments_{};
  int count_ = 0;
  int64_t scratch_bytes_ = 0;
};

// Copies `from` to `to` (DNNL_ARG_FROM, DNNL_ARG_TO), changing the layout; nothing when the
// layouts agree.
std::optional<Primitive> reorder(const dnnl_memory_desc_t& from, const dnnl_memory_desc_t& to);

}  // namespace ditto::kernels::onednn
