// JPEG files by libjpeg-turbo, which takes 60 % of stb_image's time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/tensor.h"

namespace ditto::data {

// `bytes` have passed check_structure and hold a picture of width x height. (H, W, C) u8, C =
// `channels` of 1 or 3; CMYK is taken for the inverted kind that Adobe's programs write. Throws
// Error "[image] cannot decode ..." with `name`, also for what the decoder would only warn of:
// corrupt data.
Tensor decode_jpeg(std::span<const uint8_t> bytes, std::string_view name, int64_t width,
                   int64_t height, int channels);

}  // namespace ditto::data
