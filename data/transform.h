// Transform: a deterministic change of one image, and Augment: a random policy that draws one.
//
// A policy never touches pixels: draw() returns a value that can be applied to the image, to points
// and to boxes, composed, inverted and kept beside the sample. The parts of a transform are a 2x3
// map with the canvas (core/frame.h), changes of colour, and areas to erase. However many
// transforms are composed, an image is resampled once and then coloured (kernels/augment.h), in the
// order of the parts. Only what looks at more than one pixel, the mean grey that a change of
// contrast needs and the neighbours of a blur, is always taken from the last canvas, before areas
// are erased; a blur keeps its size on the image where the canvas is scaled after it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/nearest_map.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "data/image_info.h"

namespace ditto::data {

// What of the pixels the inverse of a transform cannot bring back. (Coordinates always come back.)
struct Lost {
  bool cut = false;        // a part of the image lies outside the canvas
  bool resampled = false;  // pixels were blended: they come back as mixtures
  bool erased = false;     // painted over
  bool colour = false;     // changed, or blurred, by more than a factor and an offset per channel

  bool any() const { return cut || resampled || erased || colour; }
  friend bool operator==(const Lost&, const Lost&) = default;
};
// "nothing", or what is lost: "cut, resampled, erased, colour".
std::string to_string(const Lost& lost);

class Transform {
 public:
  // No change of an image like `info` (but u8 becomes f32 in [0, 1]).
  explicit Transform(const ImageInfo& info);
  // The source point p is seen at map(p) on a canvas of width x height. Throws when the map is not
  // invertible or the canvas is empty.
  static Transform geometric(const ImageInfo& info, const Affine& map, int width, int height);
  // The part `area` of the image fills a canvas of width x height; where it shrinks, pixels are
  // averaged, and nothing beside the area is blended in. Throws when it is empty or not inside the
  // image.
  static Transform resized(const ImageInfo& info, const Rect& area, int width, int height);
  // Pixels whose centre is in `area` get the fill colour.
  static Transform erase(const ImageInfo& info, const Rect& area);
  // Every value v of channel c becomes scale[c] * v + offset[c].
  static Transform channels(const ImageInfo& info, const kernels::ChannelValues& scale,
                            const kernels::ChannelValues& offset);
  // A change that is not affine per channel, a blur among them. Throws unless the image has 1 or 3
  // channels.
  static Transform colour(const ImageInfo& info, const kernels::ColourChange& change);

  // First *this, then `next`. The result of applying both in turn, but with one resampling: what an
  // earlier canvas cut off stays cut off, turned or not, and everything outside the image is the
  // fill colour of *this, changed like any pixel. A chain with a resize averages, one without
  // samples bilinearly (kernels/augment.h). Throws when `next` was made for another size.
  Transform then(const Transform& next) const;
  // Becomes then(next).
  Transform& append(const Transform& next);

  // The way back: points return exactly, and so do boxes, though their hull is larger than they are
  // where the map turns (core/box_map.h). Pixels return where they still exist (always, when
  // pixels_invertible()); the rest is fill. Colours lose what channels() did, as far as it can be
  // taken back; what lost() calls lost stays as it is.
  Transform inverse() const;
  Lost lost() const;
  // True when the inverse restores every pixel: whole-pixel shifts and mirrors that cut nothing
  // off, nothing erased, no channel scaled by 0, no other change of colour.
  bool pixels_invertible() const { return !lost().any(); }

  // (H, W, C) u8 or f32 -> (h, w, C) f32. Throws when the image is not of the size and channels the
  // transform was made for.
  Tensor apply(const Tensor& image) const;
  // The same into `out`, contiguous f32 (h, w, C).
  void apply(const Tensor& image, const Tensor& out) const;
  Point apply(Point point) const { return frame_.map(point); }
  std::vector<Point> apply(std::span<const Point> points) const;
  // The upright hull of the box's image; of an inverse, the box with this hull: throws
  // "[box_back] ..." where the map turns by nearly 45 degrees.
  Rect apply(const Rect& box) const;

  const Frame& frame() const { return frame_; }
  // What the next transform of a chain sees (the fill without the changes by colour()).
  ImageInfo canvas() const;
  // How masks and class maps follow: which source pixel each pixel of the canvas shows.
  NearestMap nearest() const { return NearestMap::of(frame_); }
  // The record for kernels::augment with row `source` of its images; it refers to this transform.
  kernels::AugmentRow row(int64_t source) const;

 private:
  bool keeps_geometry() const;
  void append_geometry(const Transform& next);

  Frame frame_;
  int channels_;
  bool average_ = false;  // there was a resize
  bool back_ = false;     // the inverse of a transform
  std::vector<kernels::Erase> erase_;
  std::vector<kernels::ColourChange> colours_;  // before scale_ and offset_
  kernels::ChannelValues scale_{1, 1, 1, 1}, offset_{}, fill_{};
};

// A random policy. draw() depends on nothing but its arguments, so policies are shared by threads.
class Augment {
 public:
  virtual ~Augment() = default;
  virtual Transform draw(Rng& rng, const ImageInfo& info) const = 0;
};

// Draws from its parts in order and composes the results.
class Compose : public Augment {
 public:
  explicit Compose(std::vector<std::shared_ptr<const Augment>> parts) : parts_(std::move(parts)) {}
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  std::vector<std::shared_ptr<const Augment>> parts_;
};

}  // namespace ditto::data
