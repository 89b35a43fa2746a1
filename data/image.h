// Photographs from JPEG and PNG files, which may come from anywhere.
//
// stb_image decodes; what it does not check is checked before: the file's size, the kind of file by
// its first bytes, the size of the picture before memory is taken, every checksum of a PNG, and
// that a JPEG is complete (data/image_structure.h). What a decoder may allocate is bounded, too.
// Orientation tags and colour profiles are ignored and transparency is dropped, as
// torchvision's folders do.
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

}  // namespace ditto::data
