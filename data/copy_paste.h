// Simple copy-paste: objects of one image on another.
//
// Source: Ghiasi et al., "Simple copy-paste is a strong data augmentation method for instance
// segmentation", CVPR 2021, as in detection.md 3.3. Both images went through their own geometry
// onto canvases of one size; colours change afterwards, on the pasted image. Pasted objects keep
// their id and the record of the image they came from, by which predictions of them go back to that
// image.
#pragma once

#include <optional>

#include "data/instances.h"

namespace ditto::data {

struct PasteOptions {
  double probability = 0.5;  // that anything is pasted
  double pick = 0.5;         // that an object is chosen; if none is, one of them is
  // Standard deviation of a 5 x 5 Gaussian over the border of the pasted pixels, pixels; 0: a hard
  // border. (The paper uses 2.)
  double soften = 0;
};

struct Paste {
  Rle mask;             // all pasted pixels
  Instances instances;  // those of the destination that are left, then the pasted ones
  // Per instance: 1 when it was pasted and its record is the source image's transform.
  std::vector<uint8_t> pasted;
};

// Chooses objects of `source` for `destination`; both need masks, on canvases of the same size. No
// region to ignore is pasted. What a pasted object covers is no longer seen of the destination's:
// masks lose those pixels, boxes are drawn anew, visibility falls in proportion, and the rules
// decide. Nothing when the draw says so or the source has no object. Throws "[copy_paste] ..." on
// options out of range, missing masks, other sizes, or an id that both images have.
std::optional<Paste> draw_paste(const PasteOptions& options, Rng& rng, const Instances& destination,
                                const Instances& source, int width, int height,
                                const SurvivalRules& rules = {});

// The weight of the source's pixels, (height, width) f32: 1 on the mask and 0 beside it, with
// `soften` blended over two pixels on either side.
Tensor paste_weights(const Rle& mask, double soften);
// image = weights * source + (1 - weights) * image, in place; (H, W, C) f32 canvases on one device.
void paste_pixels(const Tensor& source, const Tensor& weights, const Tensor& image);

}  // namespace ditto::data
