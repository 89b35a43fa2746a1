// The outer structure of JPEG and PNG files: what kind of file it is, how large the picture is, and
// whether the file is all there.
//
// Decoders skip the checksums of a PNG or fill what a JPEG lacks with grey; a damaged file would
// become a training image. PNG: ISO/IEC 15948; JPEG: ITU-T T.81.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ditto::data {

enum class ImageFormat { Jpeg, Png };

struct ImageStructure {
  ImageFormat format = ImageFormat::Jpeg;
  int64_t width = 0, height = 0;
  int64_t pixel_bits = 0;  // of the decoded file, all channels
  int orientation = 1;     // as the camera says (data/exif.h); width and height are as stored
};

// Reads no pixel. Throws Error "[image] ..." with `name` and the byte when the bytes are no JPEG or
// PNG; when a PNG's chunks are out of bounds, lack IHDR, IDAT or IEND or fail their CRC; when a
// JPEG's segments are out of bounds, a scan ends without a marker or with too few restart
// intervals, a Huffman table has more than 256 codes, a component has no scan, there are more than
// 100 scans or 1e9 pixels in all scans, or EOI is missing. Bytes behind the end are accepted,
// because cameras leave some.
ImageStructure check_structure(std::span<const uint8_t> bytes, std::string_view name);

}  // namespace ditto::data
