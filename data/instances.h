// Instances: the annotated objects of one image, and what a transform leaves of them.
//
// Rules: detection.md 3.2. How much of an object is still seen decides whether it is an object to
// find, a region to ignore, or gone; boxes are drawn anew around what is seen; every object keeps
// the id it has in the data set.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rle.h"
#include "data/transform.h"

namespace ditto::data {

// Which annotation of which image of the data set.
struct InstanceId {
  int64_t image = 0, annotation = 0;
  friend auto operator<=>(const InstanceId&, const InstanceId&) = default;
};

// One entry per object, in the image's own frame: continuous coordinates, pixels.
struct Instances {
  std::vector<Rect> boxes;
  std::vector<int64_t> labels;
  std::vector<InstanceId> ids;
  std::vector<Rle> masks;       // empty, or one each
  std::vector<uint8_t> ignore;  // 1: neither object nor background (a crowd, or too little is seen)
  // Part of the object that is seen, in [0, 1]; empty: all of each.
  std::vector<double> visibility = {};
  // Named points of each object (corners, joints), in a fixed order; empty, or one list each. They
  // keep their order, and may lie outside the canvas.
  std::vector<std::vector<Point>> points = {};

  size_t size() const { return boxes.size(); }
  // Objects to find: those that are not to be ignored.
  int64_t objects() const;
  // Appends object i of another set. Throws when only one of the two has masks.
  void append(const Instances& from, size_t i);
};

// Throws "[instances] ..." unless the lists have one length, boxes are finite, in order and inside
// the image of width x height, masks have its size and a pixel each, and no id is there twice.
void check_instances(const Instances& instances, int width, int height);

struct SurvivalRules {
  double min_visibility = 0.25;  // part of the object's area that must be seen
  int64_t min_pixels = 16;       // of its mask, on the canvas
  double min_side = 2;           // of its box, on the canvas, pixels
};

// Whether an object of which this is seen on the canvas stays one to find.
bool survives(const SurvivalRules& rules, double visibility, int64_t pixels, const Rect& box);

// Appends object i of `from`, on the same canvas, of which this mask, or this box and this part of
// its area, is left: nothing, it as it is, or with less visibility, by which the rules decide.
void append_rest(Instances& out, const Instances& from, size_t i, Rle mask,
                 const SurvivalRules& rules);
void append_rest(Instances& out, const Instances& from, size_t i, const Rect& box, double part,
                 const SurvivalRules& rules);

// What the canvas shows of each object, in the same order. An object of which nothing is seen is
// left out; one that fails a rule becomes a region to ignore, and such a region stays one while
// anything of it is seen. Masks go pixel by pixel (core/nearest_map.h) and boxes are the tight ones
// of the masks; boxes without masks become the hull of their image, cut at the edge of what the
// canvas shows. Visibility is the seen area over |det| times the area before, times the visibility
// before; erased pixels (cutout) are not seen, but stay part of the mask and the box.
Instances transform_instances(const Transform& transform, const Instances& instances,
                              const SurvivalRules& rules = {});

// A class map or dense mask, (H, W) u8 or i64, as the canvas shows it, pixel by pixel like the
// masks of instances; `outside` where it shows nothing of the image. Throws "[transform_labels]
// ..." on another shape or dtype, or an `outside` that the dtype cannot hold.
Tensor transform_labels(const Transform& transform, const Tensor& labels, int64_t outside);

// What to do when a transform leaves no object of an image that has some.
struct NegativeRules {
  double probability = 0;  // that the image is used all the same, as one without objects
  int redraws = 10;        // other draws of the policy before the fallback, which crops nothing
};

struct InstanceDraw {
  Transform transform;
  Instances instances;
  int draws = 1;          // of the policy
  bool fallback = false;  // whether the fallback was drawn in the end
};

// Draws from `policy` until an object survives, as the rules say, then from `fallback`: one that
// crops nothing (resizing and normalisation).
InstanceDraw draw_with_instances(const Augment& policy, const Augment& fallback, Rng& rng,
                                 const ImageInfo& info, const Instances& instances,
                                 const SurvivalRules& survival = {},
                                 const NegativeRules& negative = {});

}  // namespace ditto::data
