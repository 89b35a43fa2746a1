// ImageInfo: what an augmentation may know about an image before it draws its numbers.
#pragma once

#include "kernels/augment.h"

namespace ditto::data {

struct ImageInfo {
  int width = 0, height = 0, channels = 0;
  // Colour of everything that is not image, in the image's own units (u8 counts as v / 255).
  kernels::ChannelValues fill{};
};

}  // namespace ditto::data
