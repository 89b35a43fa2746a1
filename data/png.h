// The samples of a PNG as they are stored, so that the indices of a palette survive: pictures of
// the usual kind (no interlacing, at most 8 bits a sample), and masks whose values are numbers of
// objects.
//
// libspng decodes. It writes into memory of exactly the announced size, so
// a file cannot ask for more.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "data/image_structure.h"

namespace ditto::data {

struct PngSamples {
  Tensor samples;  // (H, W, C) u8: 1 grey or index, 2 grey and alpha, 3 RGB, 4 RGBA
  int depth = 8;   // bits; samples are in [0, 2^depth)
  bool indexed = false;
  std::vector<uint8_t> palette = {};  // three bytes per entry
};

// `bytes` have passed check_structure. Nothing for interlaced pictures and for 16 bits a sample.
// Throws Error "[image] cannot decode ..." with `name` and the reason.
std::optional<PngSamples> png_samples(std::span<const uint8_t> bytes, std::string_view name);

}  // namespace ditto::data
