// PNG files in memory, for pictures inside the report.
#pragma once

#include <string>
#include <string_view>

#include "core/tensor.h"

namespace ditto::apps {

// The bytes of a PNG file with the pixels of `image`: u8, (H, W, C) with C = 1 (grey), 3 (RGB) or 4
// (RGBA), on the CPU. Throws Error for anything else.
std::string encode_png(const Tensor& image);

// Base64 of RFC 4648, with padding.
std::string base64(std::string_view bytes);

// "data:image/png;base64,..." of encode_png.
std::string png_data_uri(const Tensor& image);

}  // namespace ditto::apps
