#include "core/frame.h"

namespace ditto {
namespace {

// Scaling an image to a canvas may miss its edge by a rounding.
Rect grown(const Rect& r) {
  constexpr double kRounding = 1e-6;  // pixels
  return {r.x0 - kRounding, r.y0 - kRounding, r.x1 + kRounding, r.y1 + kRounding};
}

Rect canvas_of(const Frame& frame) { return {0, 0, double(frame.width), double(frame.height)}; }
Rect source_of(const Frame& frame) {
  return {0, 0, double(frame.source_width), double(frame.source_height)};
}

// Never with crossed sides: beside it, what is left lies on its border.
Rect clamped(const Rect& r, const Rect& to) {
  return {std::clamp(r.x0, to.x0, to.x1), std::clamp(r.y0, to.y0, to.y1),
          std::clamp(r.x1, to.x0, to.x1), std::clamp(r.y1, to.y0, to.y1)};
}

bool whole(double v) { return v == std::floor(v); }
bool whole(const Rect& r) { return whole(r.x0) && whole(r.y0) && whole(r.x1) && whole(r.y1); }

// Infinite sides stay infinite (0 * inf would make NaN of the hull), and an empty area stays empty
// (its crossed sides would come out in order).
Rect map_cut(const Affine& map, const Rect& cut) {
  if (cut.area() == 0) return {};
  return std::isfinite(cut.area()) ? map(cut) : cut;
}

// `kept` is what cuts have left of the canvas, which turns now.
void keep_cuts(Frame& frame, const Rect& kept) {
  if (is_upright(frame.map) && std::isfinite(kept.area()) && kept.area() > 0) {
    const Rect part = frame.map.inverse()(kept);
    if (whole(part)) {
      frame.area = intersection(frame.area, part);
      return;
    }
  }
  if (kept != kEverywhere) frame.windows.push_back({frame.map, kept});
}

// Beside windows an area is of whole pixels: all of those it has may be read.
void settle_area(Frame& frame) {
  if ((is_upright(frame.map) && frame.windows.empty()) || whole(frame.area)) return;
  frame.windows.push_back({Affine{}, frame.area});
  frame.area = {std::floor(frame.area.x0), std::floor(frame.area.y0), std::ceil(frame.area.x1),
                std::ceil(frame.area.y1)};
}

}  // namespace

bool contains(const Rect& outer, const Rect& inner) {
  return inner.x0 >= outer.x0 && inner.y0 >= outer.y0 && inner.x1 <= outer.x1 &&
         inner.y1 <= outer.y1;
}

Frame Frame::of(const Affine& map, int source_width, int source_height, int width, int height) {
  const Rect source{0, 0, double(source_width), double(source_height)};
  return {map,   source_width, source_height,
          width, height,       clamped(map(source), {0, 0, double(width), double(height)})};
}

Frame Frame::then(const Affine& next, int new_width, int new_height) const {
  Frame out = *this;
  out.append(of(next, width, height, new_width, new_height));
  return out;
}

Frame& Frame::append(const Frame& next) {
  if (&next == this) return append(Frame(next));
  // Only what sticks out of the canvas can be lost; a clip that cuts nothing would spoil the soft
  // border of bilinear sampling.
  const Rect image = map(source_of(*this));
  Rect kept = clip;
  if (!contains(grown(canvas_of(*this)), image)) kept = intersection(kept, canvas_of(*this));
  if (next.area != kEverywhere) {
    if (is_upright(map))
      area = intersection(area, map_cut(map.inverse(), next.area));
    else if (!contains(grown(next.area), image))
      kept = intersection(kept, next.area);
  }
  if (is_upright(next.map)) {
    // What the next map blends is what was kept, as if the cut had been made in pixels.
    if (kept != kEverywhere && is_upright(map) && !moves_whole_pixels(next.map)) {
      area = intersection(area, map_cut(map.inverse(), kept));
      kept = kEverywhere;
    }
    clip = intersection(map_cut(next.map, kept), next.clip);
  } else {
    keep_cuts(*this, kept);
    clip = next.clip;
  }
  for (const Window& window : next.windows)
    windows.push_back({map.then(window.to_rect), window.rect});
  map = map.then(next.map);
  width = next.width, height = next.height;
  visible = clamped(next.map(visible), next.visible);
  settle_area(*this);
  return *this;
}

Frame Frame::inverse() const {
  Frame back{map.inverse(), width, height, source_width, source_height, {}};
  back.visible = clamped(back.map(visible), source_of(*this));
  for (const Window& window : windows)
    back.windows.push_back({back.map.then(window.to_rect), window.rect});
  if (is_upright(map)) {
    back.clip = map_cut(back.map, clip);
    back.area = map_cut(map, area);
  } else {  // source and canvas change places
    back.clip = area;
    if (whole(clip))
      back.area = clip;
    else
      back.windows.push_back({Affine{}, clip});
  }
  settle_area(back);
  return back;
}

bool Frame::cuts() const {
  const Rect source = source_of(*this), image = map(source);
  bool cut = !contains(grown(canvas_of(*this)), image) || !contains(grown(clip), image) ||
             !contains(area, source);
  for (const Window& window : windows)
    cut = cut || !contains(grown(window.rect), window.to_rect(source));
  return cut;
}

}  // namespace ditto
