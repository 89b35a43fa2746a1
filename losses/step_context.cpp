#include "losses/step_context.h"

#include <algorithm>

namespace ditto::losses {

static Tensor shares_of(const std::vector<int64_t>& counts) {
  std::vector<float> shares;
  double total = 0;
  for (int64_t count : counts) total += static_cast<double>(std::max<int64_t>(count, 1));
  for (int64_t count : counts)
    shares.push_back(static_cast<float>(static_cast<double>(std::max<int64_t>(count, 1)) / total));
  return Tensor::from(shares, {static_cast<int64_t>(shares.size())});
}

ClassShares::ClassShares(const std::vector<int64_t>& counts)
    : shares_(buffer("shares", shares_of(counts), false)) {
  check(!counts.empty(), "[losses] needs the number of images of each class, got none");
}

}  // namespace ditto::losses
