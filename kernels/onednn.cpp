#include "kernels/onednn.h"

#include <dnnl_debug.h>

#include <algorithm>
#include <string>

#include "core/storage.h"

#ifdef DITTO_HAS_OPENMP
#include <omp.h>
#else
#include <dlfcn.h>
#endif

namespace ditto::kernels::onednn {
namespace {

using Attributes = Owned<dnnl_primitive_attr_t, dnnl_primitive_attr_destroy>;

// Scratch memory comes from us, so that it is reused and a step in steady state allocates nothing.
Attributes user_scratch() {
  dnnl_primitive_attr_t attributes = nullptr;
  check_status(dnnl_primitive_attr_create(&attributes), "creating attributes");
  Attributes owned(attributes);
  check_status(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user),
               "choosing user scratch memory");
  return owned;
}

#ifndef DITTO_HAS_OPENMP
// oneDNN's library brings an OpenMP runtime along that this build does not link: found by name.
template <class F>
F* runtime_function(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
}
#endif

}  // namespace

void check_status(dnnl_status_t status, const char* what) {
  if (status == dnnl_success) [[likely]]
    return;
  fail(std::string("[onednn] ") + what + " failed:", dnnl_status2str(status));
}

dnnl_engine_t engine() {
  static const dnnl_engine_t instance = [] {
    dnnl_engine_t engine = nullptr;
    check_status(dnnl_engine_create(&engine, dnnl_cpu, 0), "creating the CPU engine");
    return engine;
  }();
  return instance;
}

dnnl_stream_t stream() {
  thread_local const Owned<dnnl_stream_t, dnnl_stream_destroy> instance([] {
    dnnl_stream_t stream = nullptr;
    check_status(dnnl_stream_create(&stream, engine(), dnnl_stream_default_flags),
                 "creating a stream");
    return stream;
  }());
  return instance.get();
}

#ifdef DITTO_HAS_OPENMP
ThreadScope::ThreadScope(const CpuContext& ctx)
    : saved_threads_(omp_get_max_threads()), saved_dynamic_(omp_get_dynamic()) {
  if (!omp_in_parallel()) threads_ = std::clamp(ctx.threads, 1, omp_get_thread_limit());
  // A team smaller than the one a primitive was made for would leave work undone or hang.
  omp_set_dynamic(0);
  omp_set_num_threads(threads_);
}

ThreadScope::~ThreadScope() {
  omp_set_num_threads(saved_threads_);
  omp_set_dynamic(saved_dynamic_);
}
#else
ThreadScope::ThreadScope(const CpuContext&) {
  static auto* const get = runtime_function<int()>("omp_get_max_threads");
  static auto* const set = runtime_function<void(int)>("omp_set_num_threads");
  if (!get || !set) return;
  saved_threads_ = get();
  set(1);
}

ThreadScope::~ThreadScope() {
  static auto* const set = runtime_function<void(int)>("omp_set_num_threads");
  if (set) set(saved_threads_);
}
#endif

dnnl_memory_desc_t memory_desc(std::initializer_list<int64_t> dims, dnnl_format_tag_t tag) {
  dnnl_memory_desc_t desc;
  check_status(dnnl_memory_desc_init_by_tag(&desc, static_cast<int>(dims.size()), dims.begin(),
                                            dnnl_f32, tag),
               "describing a tensor");
  return desc;
}

PrimitiveDesc describe(const_dnnl_op_desc_t operation) {
  const Attributes attributes = user_scratch();
  dnnl_primitive_desc_t desc = nullptr;
  const dnnl_status_t status =
      dnnl_primitive_desc_create(&desc, operation, attributes.get(), engine(), nullptr);
  if (status == dnnl_unimplemented) return nullptr;
  check_status(status, "choosing an implementation");
  return PrimitiveDesc(desc);
}

std::string_view implementation(const PrimitiveDesc& desc) {
  const char* name = "";
  check_status(dnnl_primitive_desc_query(desc.get(), dnnl_query_impl_info_str, 0, &name),
               "asking for the implementation's name");
  return name;
}

dnnl_memory_desc_t layout(const PrimitiveDesc& desc, dnnl_query_t what) {
  const dnnl_memory_desc_t* found = dnnl_primitive_desc_query_md(desc.get(), what, 0);
  check(found != nullptr,
        "[onednn] the implementation has no such layout:", static_cast<int>(what));
  return *found;
}

Primitive::Primitive(PrimitiveDesc desc, std::initializer_list<Role> roles) {
  dnnl_primitive_t primitive = nullptr;
  check_status(dnnl_primitive_create(&primitive, desc.get()), "compiling a primitive");
  primitive_.reset(primitive);

  const auto add = [&](const Role& role) {
    check(count_ < kMaxArguments, "[onednn] too many arguments:", count_ + 1);
    dnnl_memory_t memory = nullptr;
    check_status(dnnl_memory_create(&memory, &role.desc, engine(), DNNL_MEMORY_NONE),
                 "creating a memory object");
    memories_[count_].reset(memory);
    arguments_[count_++] = {role.role, memory};
  };
  const dnnl_memory_desc_t scratch = layout(desc, dnnl_query_scratchpad_md);
  scratch_bytes_ = static_cast<int64_t>(dnnl_memory_desc_get_size(&scratch));
  for (const Role& role : roles)
    if (role.desc.ndims > 0) add(role);
  if (scratch_bytes_ > 0) add({DNNL_ARG_SCRATCHPAD, scratch});
}

void Primitive::execute(std::initializer_list<Argument> arguments) {
  const auto set = [this](int role, const void* data) {
    const auto end = arguments_.begin() + count_;
    const auto found = std::find_if(arguments_.begin(), end, [&](const dnnl_exec_arg_t& argument) {
      return argument.arg == role;
    });
    check(found != end, "[onednn] the primitive has no argument", role);
    // Inputs are only read, but oneDNN's handles are not const.
    check_status(dnnl_memory_set_data_handle(found->memory, const_cast<void*>(data)),
                 "setting a pointer");
  };
  for (const Argument& argument : arguments)
    if (argument.data) set(argument.role, argument.data);
  std::optional<Storage> scratch;
  if (scratch_bytes_ > 0) set(DNNL_ARG_SCRATCHPAD, scratch.emplace(scratch_bytes_, kCpu).data());
  check_status(dnnl_primitive_execute(primitive_.get(), stream(), count_, arguments_.data()),
               "executing a primitive");
  check_status(dnnl_stream_wait(stream()), "waiting for a primitive");
}

std::optional<Primitive> reorder(const dnnl_memory_desc_t& from, const dnnl_memory_desc_t& to) {
  if (dnnl_memory_desc_equal(&from, &to)) return std::nullopt;
  const Attributes attributes = user_scratch();
  dnnl_primitive_desc_t desc = nullptr;
  check_status(
      dnnl_reorder_primitive_desc_create(&desc, &from, engine(), &to, engine(), attributes.get()),
      "choosing a reorder");
  return Primitive(PrimitiveDesc(desc), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

}  // namespace ditto::kernels::onednn
