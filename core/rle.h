// Rle: a binary mask as run lengths, column by column, as COCO stores masks: what annotations and
// predicted masks are kept in, because a mask takes a few hundred bytes instead of a byte per
// pixel.
//
// Runs alternate, zeros first (the first run may be empty), in column-major order. Source:
// detection.md 2.7; the string code is that of the COCO API.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/frame.h"

namespace ditto {

// The set pixels [top, bottom) of one column.
struct ColumnRun {
  int column = 0, top = 0, bottom = 0;
};

// Equal masks have equal counts: runs of no length, but for the first, are merged away.
struct Rle {
  int height = 0, width = 0;
  std::vector<uint32_t> counts;

  Rle() = default;
  // Throws "[rle] ..." unless the counts sum to height x width, which is less than 2^31.
  Rle(int height, int width, std::vector<uint32_t> counts);
  // Nothing set.
  Rle(int height, int width);

  // Of a mask (height, width), row by row, where anything but 0 is set.
  static Rle encode(std::span<const uint8_t> mask, int height, int width);
  // The pixels whose centres lie in `box`.
  static Rle rectangle(const Rect& box, int height, int width);
  // Runs in column order, those of a column from top to bottom, none overlapping another.
  static Rle from_runs(std::span<const ColumnRun> runs, int height, int width);
  // From COCO's string, as of `counts` in a compressed annotation. Throws "[rle] ..." on characters
  // that are none of the code's and on counts that do not fill the mask.
  static Rle parse(std::string_view text, int height, int width);

  // (height, width) bytes of 0 and 1, row by row.
  std::vector<uint8_t> decode() const;
  std::vector<ColumnRun> runs() const;
  std::string text() const;  // COCO's string

  int64_t area() const;  // set pixels
  bool empty() const { return area() == 0; }
  // The smallest box that holds all set pixels, [left, right + 1] x [top, bottom + 1]; four zeros
  // where there are none.
  Rect box() const;

  // Mirrored left-right, or upside down.
  Rle flipped_columns() const;
  Rle flipped_rows() const;
  // The window of width x height whose upper left corner is at (x, y); what it shows beside the
  // mask is 0.
  Rle window(int x, int y, int width, int height) const;

  friend bool operator==(const Rle&, const Rle&) = default;
};

// Pixel by pixel; the masks must be of one size.
Rle operator|(const Rle& a, const Rle& b);
Rle operator&(const Rle& a, const Rle& b);
// In a and not in b.
Rle operator-(const Rle& a, const Rle& b);

// Set pixels of both.
int64_t intersection_area(const Rle& a, const Rle& b);
// Intersection over union; 0 where both are empty. Where `crowd`, b stands for an unknown number of
// objects, and the intersection is divided by the area of a alone (COCO's iscrowd).
double iou(const Rle& a, const Rle& b, bool crowd = false);

}  // namespace ditto
