// The orientation that a camera wrote into a photograph: how the stored picture is to be turned.
//
// Source: CIPA DC-008 (Exif 2.32), tag 274 of the first directory, inside a TIFF 6.0 structure.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace ditto::data {

// 1 to 8, from the TIFF structure in a PNG's eXIf chunk, or behind "Exif\0\0" in a JPEG's APP1
// segment. 1 (as stored) where there is none or anything is odd: it never throws, because a wrong
// note beside a picture is no reason to refuse the picture.
int exif_orientation(std::span<const uint8_t> tiff);

// The picture (H, W, C) u8 as it is to be seen; orientations 5 to 8 exchange height and width.
Tensor turn_upright(const Tensor& image, int orientation);

}  // namespace ditto::data
