#include "data/instances.h"

#include <algorithm>

#include "core/nearest_map.h"
#include "kernels/augment_math.h"

namespace ditto::data {
namespace {

int64_t erased_pixels(const Rle& mask, std::span<const kernels::Erase> erase) {
  if (erase.empty()) return 0;
  std::vector<kernels::ErasedArea> areas;
  for (const kernels::Erase& e : erase)
    areas.emplace_back(e, kernels::Size{mask.height, mask.width});
  int64_t count = 0;
  for (const ColumnRun& run : mask.runs())
    for (int y = run.top; y < run.bottom; ++y)
      count += std::ranges::any_of(areas, [&](const kernels::ErasedArea& area) {
        return area.columns.has(run.column) && area.lines.has(y) && area.covers(run.column, y);
      });
  return count;
}

double ratio(double part, double whole) {
  return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 0.0;
}

// One object on the canvas: its box (no area: nothing is seen) and how much of it is seen.
struct Seen {
  Rect box;
  double visibility = 0;
  int64_t pixels = 0;
};

Seen see_mask(const Transform& transform, const kernels::AugmentRow& row, const Rle& before,
              const Rle& after) {
  const double scale = std::fabs(transform.frame().map.determinant());
  const int64_t pixels = after.area(), erased = erased_pixels(after, row.erase);
  return {after.box(),
          ratio(static_cast<double>(pixels - erased), scale * static_cast<double>(before.area())),
          pixels - erased};
}

Seen see_box(const Transform& transform, const kernels::AugmentRow& row, const Rect& before) {
  const Frame& frame = transform.frame();
  const Rect hull = transform.apply(before), box = intersection(hull, frame.visible);
  if (box.area() == 0) return {};
  const Rle pixels = row.erase.empty() ? Rle() : Rle::rectangle(box, frame.height, frame.width);
  const auto covered = static_cast<double>(pixels.area());
  const double left =
      covered > 0 ? 1 - static_cast<double>(erased_pixels(pixels, row.erase)) / covered : 1.0;
  return {box, ratio(box.area() * left, hull.area()),
          static_cast<int64_t>(std::floor(box.area() * left))};
}

template <class T>
Tensor labels_through(const NearestMap& map, const Tensor& labels, int64_t outside) {
  std::vector<Window> windows;
  const NearestLookup lookup(map, windows);
  const Tensor out = Tensor::empty({map.height, map.width}, labels.dtype());
  const T* from = labels.data<T>();
  T* to = out.data<T>();
  for (int y = 0; y < map.height; ++y)
    for (int x = 0; x < map.width; ++x) {
      int u = 0, v = 0;
      *to++ = lookup.find(windows.data(), x, y, u, v) ? from[int64_t{v} * map.source_width + u]
                                                      : static_cast<T>(outside);
    }
  return out;
}

}  // namespace

int64_t Instances::objects() const { return std::ranges::count(ignore, uint8_t{0}); }

void Instances::append(const Instances& from, size_t i) {
  const auto one_kind = [&](bool mine, bool theirs) { return boxes.empty() || mine == theirs; };
  check(one_kind(!masks.empty(), !from.masks.empty()) &&
            one_kind(!points.empty(), !from.points.empty()),
        "[instances] objects with and without masks or points cannot be in one list");
  if (visibility.empty() && !from.visibility.empty()) visibility.assign(size(), 1.0);
  if (!visibility.empty() || !from.visibility.empty())
    visibility.push_back(from.visibility.empty() ? 1.0 : from.visibility[i]);
  boxes.push_back(from.boxes[i]);
  labels.push_back(from.labels[i]);
  ids.push_back(from.ids[i]);
  ignore.push_back(from.ignore[i]);
  if (!from.masks.empty()) masks.push_back(from.masks[i]);
  if (!from.points.empty()) points.push_back(from.points[i]);
}

void check_instances(const Instances& instances, int width, int height) {
  const size_t n = instances.size();
  const auto length = [n](const char* what, size_t got, bool optional) {
    check(got == n || (optional && got == 0), "[instances]", n, "boxes but", got, what);
  };
  length("labels", instances.labels.size(), false);
  length("ids", instances.ids.size(), false);
  length("ignore flags", instances.ignore.size(), false);
  length("masks", instances.masks.size(), true);
  length("visibilities", instances.visibility.size(), true);
  length("lists of points", instances.points.size(), true);
  for (size_t i = 0; i < n; ++i) {
    const Rect& box = instances.boxes[i];
    check(box.x0 >= 0 && box.y0 >= 0 && box.x0 < box.x1 && box.y0 < box.y1 && box.x1 <= width &&
              box.y1 <= height,
          "[instances] box", i, "is empty or not inside the image of", width, "x", height, ": x",
          box.x0, box.x1, "y", box.y0, box.y1);
    if (instances.masks.empty()) continue;
    const Rle& mask = instances.masks[i];
    check(mask.width == width && mask.height == height, "[instances] mask", i, "is of width",
          mask.width, "height", mask.height, "but the image of", width, "x", height);
    check(!mask.empty(), "[instances] mask", i, "is empty");
  }
  std::vector<InstanceId> ids = instances.ids;
  std::ranges::sort(ids);
  const auto twice = std::ranges::adjacent_find(ids);
  check(twice == ids.end(), "[instances] an id is there twice: image",
        twice == ids.end() ? 0 : twice->image, "annotation",
        twice == ids.end() ? 0 : twice->annotation);
}

bool survives(const SurvivalRules& rules, double visibility, int64_t pixels, const Rect& box) {
  return visibility >= rules.min_visibility && pixels >= rules.min_pixels &&
         std::min(box.x1 - box.x0, box.y1 - box.y0) >= rules.min_side;
}

namespace {

// Object i of `from` with less of it to see: `pixels` in `box`, `part` of what was seen before.
void append_less(Instances& out, const Instances& from, size_t i, const Rect& box, double part,
                 int64_t pixels, const SurvivalRules& rules) {
  out.append(from, i);
  if (out.visibility.empty()) out.visibility.assign(out.size(), 1.0);
  out.boxes.back() = box;
  out.visibility.back() *= part;
  if (!survives(rules, out.visibility.back(), pixels, box)) out.ignore.back() = 1;
}

}  // namespace

void append_rest(Instances& out, const Instances& from, size_t i, Rle mask,
                 const SurvivalRules& rules) {
  const int64_t before = from.masks[i].area(), after = mask.area();
  if (after == before) return out.append(from, i);
  if (after == 0) return;
  append_less(out, from, i, mask.box(), static_cast<double>(after) / static_cast<double>(before),
              after, rules);
  out.masks.back() = std::move(mask);
}

void append_rest(Instances& out, const Instances& from, size_t i, const Rect& box, double part,
                 const SurvivalRules& rules) {
  if (part >= 1) return out.append(from, i);
  if (part <= 0 || box.area() == 0) return;
  append_less(out, from, i, box, part, std::llround(from.boxes[i].area() * part), rules);
}

Instances transform_instances(const Transform& transform, const Instances& instances,
                              const SurvivalRules& rules) {
  const kernels::AugmentRow row = transform.row(0);
  const NearestMap map = transform.nearest();
  check_instances(instances, map.source_width, map.source_height);
  Instances out;
  for (size_t i = 0; i < instances.size(); ++i) {
    Rle mask;
    Seen seen;
    if (instances.masks.empty()) {
      seen = see_box(transform, row, instances.boxes[i]);
    } else {
      mask = warp(instances.masks[i], map);
      seen = see_mask(transform, row, instances.masks[i], mask);
    }
    if (seen.visibility == 0) continue;
    const double visibility =
        seen.visibility * (instances.visibility.empty() ? 1.0 : instances.visibility[i]);
    out.boxes.push_back(seen.box);
    out.labels.push_back(instances.labels[i]);
    out.ids.push_back(instances.ids[i]);
    out.ignore.push_back(survives(rules, visibility, seen.pixels, seen.box) ? instances.ignore[i]
                                                                            : uint8_t{1});
    out.visibility.push_back(visibility);
    if (!instances.masks.empty()) out.masks.push_back(std::move(mask));
    if (!instances.points.empty()) out.points.push_back(transform.apply(instances.points[i]));
  }
  return out;
}

Tensor transform_labels(const Transform& transform, const Tensor& labels, int64_t outside) {
  const NearestMap map = transform.nearest();
  const Shape expected{map.source_height, map.source_width};
  check(labels.defined() && labels.shape() == expected, "[transform_labels] labels must be",
        expected, "got", labels.defined() ? labels.shape() : Shape{});
  if (labels.dtype() == Dtype::I64)
    return labels_through<int64_t>(map, labels.contiguous(), outside);
  check(labels.dtype() == Dtype::U8 && outside >= 0 && outside <= 255,
        "[transform_labels] u8 with `outside` in [0, 255], or i64, got", labels.dtype(), outside);
  return labels_through<uint8_t>(map, labels.contiguous(), outside);
}

InstanceDraw draw_with_instances(const Augment& policy, const Augment& fallback, Rng& rng,
                                 const ImageInfo& info, const Instances& instances,
                                 const SurvivalRules& survival, const NegativeRules& negative) {
  check(negative.probability >= 0 && negative.probability <= 1 && negative.redraws >= 0,
        "[instances] probability in [0, 1] and redraws >= 0, got", negative.probability,
        negative.redraws);
  const auto draw = [&](const Augment& from) {
    Transform transform = from.draw(rng, info);
    Instances seen = transform_instances(transform, instances, survival);
    return InstanceDraw{std::move(transform), std::move(seen)};
  };
  InstanceDraw out = draw(policy);
  if (instances.objects() == 0 || out.instances.objects() > 0 || rng.chance(negative.probability))
    return out;
  for (int attempt = 2; attempt <= negative.redraws + 1; ++attempt) {
    out = draw(policy);
    out.draws = attempt;
    if (out.instances.objects() > 0) return out;
  }
  const int draws = out.draws;
  out = draw(fallback);
  out.draws = draws, out.fallback = true;
  return out;
}

}  // namespace ditto::data
