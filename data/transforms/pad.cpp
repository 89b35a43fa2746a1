#include "data/transforms/pad.h"

namespace ditto::data {

Pad::Pad(const Margins& margins) : margins_(margins) {
  constexpr int kMost = 1 << 24;
  for (const int margin : {margins.left, margins.top, margins.right, margins.bottom})
    check(margin >= 0 && margin <= kMost, "[pad] margins in [0,", kMost, "], got", margin);
}

Pad Pad::to_multiple(int divisor) {
  check(divisor >= 1 && divisor <= 1 << 20, "[pad] divisor in [1, 2^20], got", divisor);
  Pad out({});
  out.divisor_ = divisor;
  return out;
}

Transform Pad::draw(Rng&, const ImageInfo& info) const {
  const auto size = [this](int image, int before, int after) {
    return (image + before + after + divisor_ - 1) / divisor_ * divisor_;
  };
  return Transform::geometric(info, Affine::translation(margins_.left, margins_.top),
                              size(info.width, margins_.left, margins_.right),
                              size(info.height, margins_.top, margins_.bottom));
}

}  // namespace ditto::data
