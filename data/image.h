// Photographs from JPEG and PNG files, which may come from anywhere.
//
// libjpeg-turbo decodes JPEG, libspng the usual PNG (data/png.h), stb_image the others. What they
// do not check is checked before: the file's size, the kind of file by its first bytes, the size of
// the picture before memory is taken, every checksum of a PNG, and that a JPEG is complete
// (data/image_structure.h). What a decoder may allocate is bounded, too, and a JPEG of which its
// decoder says that data are corrupt is refused.
//
// Pictures are turned upright as their Exif orientation says (data/exif.h). Colour profiles are
// ignored and transparency is dropped, as torchvision's folders do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "core/tensor.h"

namespace ditto::data {

struct DecodeLimits {
  int64_t file_bytes = int64_t{64} << 20;
  int64_t pixels = 64'000'000;
  int64_t side = 16384;
  // Decoded bytes per byte of the file, for pictures of more than small_bytes. Photographs reach
  // 100, an honest picture of one colour 1000; a file made to fill the memory looks like that, too.
  double expansion = 512;
  int64_t small_bytes = int64_t{4} << 20;
};

// The picture in the bytes of a JPEG or PNG file, (H, W, C) u8 with C = `channels` of 1 (grey) or
// 3 (RGB). Throws Error "[image] ..." with `name`, the reason and, where it is known, the byte.
Tensor decode_image(std::span<const uint8_t> bytes, std::string_view name, int channels = 3,
                    const DecodeLimits& limits = {});
// The same for a file; also throws "[file] ..." when it cannot be read or is no regular file.
Tensor read_image(const std::filesystem::path& path, int channels = 3,
                  const DecodeLimits& limits = {});
// The bytes of such a file, (n) u8, not decoded.
Tensor read_image_file(const std::filesystem::path& path, const DecodeLimits& limits = {});

// What a PNG holds when its values are numbers of objects or classes: grey values or, where it has
// a palette, the indices; (H, W) u8. Throws as above, also for other kinds of pictures: colours
// without a palette, 16 bits, interlaced, JPEG.
Tensor decode_label_map(std::span<const uint8_t> bytes, std::string_view name,
                        const DecodeLimits& limits = {});
Tensor read_label_map(const std::filesystem::path& path, const DecodeLimits& limits = {});

}  // namespace ditto::data
