// f32 convolution through oneDNN: images stay in plain NHWC, weights and their gradient are
// converted between (O, kH, kW, C / groups) and the layout that the chosen implementation likes,
// once per call.
#include "core/storage.h"
#include "kernels/conv2d_provider.h"
#include "kernels/lru_cache.h"
#include "kernels/onednn.h"

namespace ditto::kernels {
namespace {

using onednn::Primitive;
using onednn::PrimitiveDesc;

enum class Pass : int64_t { Forward, BackwardData, BackwardWeights };

struct Key {
  Conv2dShape shape;
  Pass pass;
  int64_t bias;
  int64_t threads;
  friend bool operator==(const Key&, const Key&) = default;
};

// One compiled convolution. `convolution` is empty where oneDNN has no optimised code.
struct Entry {
  std::optional<Primitive> convolution;
  std::optional<Primitive> reorder;  // of the weights, where layouts differ
  int64_t packed_bytes = 0;          // of the weights in oneDNN's layout
};

// Layouts as oneDNN names them: logical dimensions are N, C, H, W and (G,) O, I, H, W whatever the
// order in memory.
struct Layouts {
  Layouts(const Conv2dShape& s, bool with_bias)
      : x(onednn::memory_desc({s.n, s.c, s.h, s.w}, dnnl_nhwc)),
        y(onednn::memory_desc({s.n, s.o, s.oh, s.ow}, dnnl_nhwc)),
        bias(with_bias ? onednn::memory_desc({s.o}, dnnl_a) : onednn::no_desc()),
        weights(weights_desc(s, dnnl_ohwi, dnnl_gohwi)),
        any_weights(weights_desc(s, dnnl_format_tag_any, dnnl_format_tag_any)) {}

  static dnnl_memory_desc_t weights_desc(const Conv2dShape& s, dnnl_format_tag_t one_group,
                                         dnnl_format_tag_t many_groups) {
    const int64_t ci = s.group_inputs(), co = s.group_outputs();
    return s.groups == 1 ? onednn::memory_desc({co, ci, s.kh, s.kw}, one_group)
                         : onednn::memory_desc({s.groups, co, ci, s.kh, s.kw}, many_groups);
  }

  dnnl_memory_desc_t x, y, bias, weights, any_weights;
};

// Winograd is left out (`direct`): oneDNN would use it on some machines only, at lower precision.
dnnl_convolution_desc_t operation(const Conv2dShape& s, Pass pass, const Layouts& layouts) {
  const dnnl_dims_t stride = {s.stride, s.stride}, padding = {s.padding, s.padding};
  const dnnl_dims_t dilation = {s.dilation - 1, s.dilation - 1};
  constexpr dnnl_alg_kind_t kDirect = dnnl_convolution_direct;
  const auto& [x, y, bias, weights, any_weights] = layouts;
  dnnl_convolution_desc_t desc;
  dnnl_status_t status = dnnl_invalid_arguments;
  switch (pass) {
    case Pass::Forward:
      status = dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_training, kDirect, &x,
                                                          &any_weights, &bias, &y, stride, dilation,
                                                          padding, padding);
      break;
    case Pass::BackwardData:
      status = dnnl_dilated_convolution_backward_data_desc_init(
          &desc, kDirect, &x, &any_weights, &y, stride, dilation, padding, padding);
      break;
    case Pass::BackwardWeights:
      status = dnnl_dilated_convolution_backward_weights_desc_init(
          &desc, kDirect, &x, &any_weights, &bias, &y, stride, dilation, padding, padding);
      break;
  }
  onednn::check_status(status, "describing a convolution");
  return desc;
}

Entry prepare(const Key& key) {
  const Layouts layouts(key.shape, key.bias != 0);
  const auto& [x, y, bias, weights, any_weights] = layouts;
  const dnnl_convolution_desc_t description = operation(key.shape, key.pass, layouts);
  PrimitiveDesc desc = onednn::describe(&description);
  // oneDNN's own fallback is a scalar loop, far slower than ours.
  if (!desc || onednn::implementation(desc).starts_with("ref")) return {};

  const bool gradient = key.pass == Pass::BackwardWeights;
  const dnnl_memory_desc_t packed =
      onednn::layout(desc, gradient ? dnnl_query_diff_weights_md : dnnl_query_weights_md);
  Entry entry;
  entry.packed_bytes = static_cast<int64_t>(dnnl_memory_desc_get_size(&packed));
  entry.reorder = gradient ? onednn::reorder(packed, weights) : onednn::reorder(weights, packed);
  switch (key.pass) {
    case Pass::Forward:
      entry.convolution = Primitive(std::move(desc), {{DNNL_ARG_SRC, x},
                                                      {DNNL_ARG_WEIGHTS, packed},
                                                      {DNNL_ARG_BIAS, bias},
                                                      {DNNL_ARG_DST, y}});
      break;
    case Pass::BackwardData:
      entry.convolution =
          Primitive(std::move(desc),
                    {{DNNL_ARG_DIFF_DST, y}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DIFF_SRC, x}});
      break;
    case Pass::BackwardWeights:
      entry.convolution = Primitive(std::move(desc), {{DNNL_ARG_DIFF_DST, y},
                                                      {DNNL_ARG_SRC, x},
                                                      {DNNL_ARG_DIFF_WEIGHTS, packed},
                                                      {DNNL_ARG_DIFF_BIAS, bias}});
      break;
  }
  return entry;
}

// Enough for the passes of a deep DenseNet, whose every layer has its own shape.
constexpr size_t kCacheCapacity = 512;

Entry& entry_for(const Conv2dShape& shape, Pass pass, bool bias, int threads) {
  thread_local LruCache<Key, Entry> cache(kCacheCapacity);
  const Key key{shape, pass, bias, threads};
  return cache.get(key, [&] { return prepare(key); });
}

// The weights in oneDNN's layout: a copy in scratch memory, or the weights themselves.
class PackedWeights {
 public:
  PackedWeights(Entry& entry, const float* weights) : data_(weights) {
    if (!entry.reorder) return;
    data_ = copy_.emplace(entry.packed_bytes, kCpu).data();
    entry.reorder->execute({{DNNL_ARG_FROM, weights}, {DNNL_ARG_TO, data_}});
  }
  const void* data() const { return data_; }

 private:
  std::optional<Storage> copy_;
  const void* data_;
};

void forward(CpuContext& ctx, const Conv2dShape& s, const float* x, const float* w,
             const float* bias, float* y) {
  const onednn::ThreadScope scope(ctx);
  Entry& entry = entry_for(s, Pass::Forward, bias != nullptr, scope.threads());
  if (!entry.convolution) return plain_conv2d<float>().forward(ctx, s, x, w, bias, y);
  const PackedWeights weights(entry, w);
  entry.convolution->execute({{DNNL_ARG_SRC, x},
                              {DNNL_ARG_WEIGHTS, weights.data()},
                              {DNNL_ARG_BIAS, bias},
                              {DNNL_ARG_DST, y}});
}

void backward_data(CpuContext& ctx, const Conv2dShape& s, const float* dy, const float* w,
                   float* dx) {
  const onednn::ThreadScope scope(ctx);
  Entry& entry = entry_for(s, Pass::BackwardData, false, scope.threads());
  if (!entry.convolution) return plain_conv2d<float>().backward_data(ctx, s, dy, w, dx);
  const PackedWeights weights(entry, w);
  entry.convolution->execute(
      {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_WEIGHTS, weights.data()}, {DNNL_ARG_DIFF_SRC, dx}});
}

void backward_weights(CpuContext& ctx, const Conv2dShape& s, const float* dy, const float* x,
                      float* dw, float* dbias) {
  const onednn::ThreadScope scope(ctx);
  Entry& entry = entry_for(s, Pass::BackwardWeights, dbias != nullptr, scope.threads());
  if (!entry.convolution) return plain_conv2d<float>().backward_weights(ctx, s, dy, x, dw, dbias);
  std::optional<Storage> packed;
  void* target = entry.reorder ? packed.emplace(entry.packed_bytes, kCpu).data() : dw;
  entry.convolution->execute({{DNNL_ARG_DIFF_DST, dy},
                              {DNNL_ARG_SRC, x},
                              {DNNL_ARG_DIFF_WEIGHTS, target},
                              {DNNL_ARG_DIFF_BIAS, dbias}});
  if (entry.reorder) entry.reorder->execute({{DNNL_ARG_FROM, target}, {DNNL_ARG_TO, dw}});
}

}  // namespace

const Conv2dProvider<float>& onednn_conv2d() {
  static constexpr Conv2dProvider<float> kProvider{"oneDNN", forward, backward_data,
                                                   backward_weights};
  return kProvider;
}

}  // namespace ditto::kernels
