// All pair losses: the list from which kernels are made for both devices.
#pragma once

#include <variant>

#include "kernels/pair_loss_contrastive.h"
#include "kernels/pair_loss_metric.h"
#include "kernels/pair_loss_triplet.h"

namespace ditto::kernels {

using PairMath =
    std::variant<Contrastive, Tuned, HardNegative, HardContrastive, SimpleContrastive, LogSumExp,
                 MultiSimilarity, LogisticRanking, RobustContrastive, TripletHard, OnePositive>;

}  // namespace ditto::kernels
