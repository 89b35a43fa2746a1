// through_f32: lets a kernel for f32 serve bf16 views. Inputs are widened into copies, results
// rounded back.
//
// bf16 on the CPU is for tests of the mixed precision policy, so it may cost a copy. CUDA kernels
// widen and round in registers (kernels/compute_type.h): only scatter_add_rows comes here.
#pragma once

#include <array>
#include <optional>

#include "core/storage.h"
#include "kernels/elementwise.h"

namespace ditto::kernels {

// What a kernel is called with instead of its own views. Views of other dtypes, and undefined ones,
// pass as they are.
template <class Ctx>
class F32Views {
 public:
  explicit F32Views(Ctx& ctx) : ctx_(ctx) {}

  View in(const View& view) { return replaced(view, true, false); }
  View out(const View& view) { return replaced(view, false, true); }
  View in_out(const View& view) { return replaced(view, true, true); }
  // Rounds the results into the views they belong to.
  void store() {
    for (int i = 0; i < count_; ++i)
      if (entries_[i].is_result) copy(ctx_, entries_[i].wide, entries_[i].narrow);
  }

 private:
  struct Entry {
    View narrow, wide;
    bool is_result;
  };

  View replaced(const View& view, bool read, bool is_result) {
    if (!view.defined() || view.dtype != Dtype::BF16) return view;
    check(count_ < kMost, "[through_f32] more than", int{kMost}, "views");
    View wide = view;
    wide.dtype = Dtype::F32;
    wide.strides = contiguous_strides(view.shape);
    wide.data = storage_[count_].emplace(view.numel() * int64_t{sizeof(float)}, view.device).data();
    if (read) copy(ctx_, view, wide);
    entries_[count_++] = {view, wide, is_result};
    return wide;
  }

  static constexpr int kMost = 8;
  Ctx& ctx_;
  std::array<Entry, kMost> entries_;
  std::array<std::optional<Storage>, kMost> storage_;
  int count_ = 0;
};

// Calls f(views): f calls the kernel once more with views.in(x), views.out(y), ...
template <class Ctx, class F>
void through_f32(Ctx& ctx, F&& f) {
  F32Views<Ctx> views(ctx);
  f(views);
  views.store();
}

}  // namespace ditto::kernels
