#include "data/mix_instances.h"

#include <algorithm>

namespace ditto::data {
namespace {

using kernels::MixKind;
using kernels::MixRow;

Rect rect_of(const kernels::PixelBox& box) {
  return {double(box.x0), double(box.y0), double(box.x1), double(box.y1)};
}

// The smallest box around what `hole` leaves of `box`; without area: nothing.
Rect tight_outside(Rect box, const Rect& hole) {
  const bool columns = hole.y0 <= box.y0 && hole.y1 >= box.y1;  // whole ones are gone
  const bool lines = hole.x0 <= box.x0 && hole.x1 >= box.x1;
  if (columns && lines) return {};
  if (columns && hole.x0 <= box.x0) box.x0 = std::max(box.x0, hole.x1);
  if (columns && hole.x1 >= box.x1) box.x1 = std::min(box.x1, hole.x0);
  if (lines && hole.y0 <= box.y0) box.y0 = std::max(box.y0, hole.y1);
  if (lines && hole.y1 >= box.y1) box.y1 = std::min(box.y1, hole.y0);
  return box;
}

// The objects of one of the two images, as CutMix leaves them: inside the box or outside it.
void append_cut(Instances& out, const Instances& from, const Rect& hole, bool inside, int width,
                int height, const SurvivalRules& rules) {
  const Rle covered = Rle::rectangle(hole, height, width);
  for (size_t i = 0; i < from.size(); ++i) {
    if (!from.masks.empty()) {
      const Rle& mask = from.masks[i];
      append_rest(out, from, i, inside ? mask & covered : mask - covered, rules);
      continue;
    }
    const Rect box = from.boxes[i], common = intersection(box, hole);
    const double part = common.area() / box.area();
    append_rest(out, from, i, inside ? common : tight_outside(box, hole), inside ? part : 1 - part,
                rules);
  }
}

}  // namespace

MixedInstances mix_instances(const MixRow& row, const Instances& own, const Instances& partner,
                             int width, int height, const SurvivalRules& rules) {
  check_instances(own, width, height);
  check_instances(partner, width, height);
  kernels::check_mix_row("mix_instances", row, width, height);
  MixedInstances out;
  if (row.kind == MixKind::None) {
    out.instances = own;
    out.partner.assign(own.size(), 0);
    out.weights.assign(own.size(), 1);
    return out;
  }
  for (const InstanceId& id : partner.ids)
    check(std::ranges::find(own.ids, id) == own.ids.end(),
          "[mix_instances] both images have the object", id.annotation, "of image", id.image);
  const bool cutmix = row.kind == MixKind::CutMix;
  const Rect hole = rect_of(row.box);
  for (const Instances* from : {&own, &partner}) {
    const bool other = from == &partner;
    if (cutmix)
      append_cut(out.instances, *from, hole, other, width, height, rules);
    else
      for (size_t i = 0; i < from->size(); ++i) out.instances.append(*from, i);
    out.partner.resize(out.instances.size(), other);
    const double keep = static_cast<double>(row.keep);
    out.weights.resize(out.instances.size(), cutmix ? 1.0 : other ? 1 - keep : keep);
  }
  return out;
}

Tensor mix_label_maps(const MixRow& row, const Tensor& own, const Tensor& partner) {
  check(own.defined() && partner.defined() && own.rank() == 2 && own.shape() == partner.shape() &&
            own.dtype() == partner.dtype() &&
            (own.dtype() == Dtype::U8 || own.dtype() == Dtype::I64),
        "[mix_label_maps] two maps (H, W) of one size, u8 or i64, got", own, partner);
  check(row.kind != MixKind::Mixup, "[mix_label_maps] after mixup a pixel has two classes");
  Tensor out = own.clone();
  if (row.kind == MixKind::None) return out;
  kernels::check_mix_row("mix_label_maps", row, own.dim(1), own.dim(0));
  const Tensor from = partner.contiguous();
  const auto bytes = static_cast<int64_t>(size_of(own.dtype()));
  const auto* source = static_cast<const std::byte*>(from.view().data);
  auto* to = static_cast<std::byte*>(out.view().data);
  for (int64_t y = row.box.y0; y < row.box.y1; ++y) {
    const int64_t at = (y * own.dim(1) + row.box.x0) * bytes;
    std::copy_n(source + at, (row.box.x1 - row.box.x0) * bytes, to + at);
  }
  return out;
}

Lost lost(const MixRow& row) {
  Lost out;
  out.erased = row.kind == MixKind::CutMix && row.box.area() > 0;
  out.colour = row.kind == MixKind::Mixup && row.keep != 1;
  return out;
}

}  // namespace ditto::data
