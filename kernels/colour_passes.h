// ColourPasses: the changes of colour of a batch on the device, after augment_kernel has sampled
// it.
//
// The host gathers what the rows change; the tables travel in the batch's upload.
#pragma once

#include <vector>

#include "kernels/augment_math.h"
#include "kernels/cuda_upload.h"

namespace ditto::kernels {

class ColourPasses {
 public:
  // Output image `image` gets the changes, scale and offset of `row`; its erased areas are
  // [erase_begin, erase_end) of the batch's.
  void add(const AugmentRow& row, int32_t image, int32_t erase_begin, int32_t erase_end);
  // Adds the tables. Nothing else may be added behind them.
  void upload(CudaUpload& upload, Size canvas, int channels);
  // `tables` is what the upload's send() returned; images in `out` (B, h, w, channels) are changed
  // in place.
  void run(CudaContext& ctx, char* tables, const ErasedArea* erased, float* out, Size canvas,
           int channels) const;

  struct Change {
    ColourKind kind;
    float factor;
    float scale[kMaxChannels], offset[kMaxChannels];
  };

  // A row whose colours change: those of output image `image`. Then value * scale + offset; erased
  // pixels show the fill, which changes likewise.
  struct Record {
    int32_t image, erase_begin, erase_end;
    int32_t blurred;  // its place among the images that are blurred, or -1
    float scale[kMaxChannels], offset[kMaxChannels], fill[kMaxChannels];
  };

  // The changes [begin, end) that a row makes in a pass; none (begin < 0) after its last one. Then
  // a blur, where it has a radius, whose 2 radius + 1 weights start at `weights`.
  struct Segment {
    int32_t begin = -1, end = -1;
    int32_t radius = 0, weights = 0;
    bool last = false;
  };

 private:
  std::vector<Record> records_;
  std::vector<Change> changes_;
  std::vector<float> weights_;                // of blurs
  std::vector<std::vector<Segment>> passes_;  // of each record, or shorter
  int32_t blurred_ = 0;                       // images with a blur
  // Where the tables lie in the upload.
  size_t at_records_ = 0, at_changes_ = 0, at_weights_ = 0, at_segments_ = 0;
  size_t at_sums_ = 0, at_means_ = 0, at_fills_ = 0, at_blurred_ = 0;
};

}  // namespace ditto::kernels
