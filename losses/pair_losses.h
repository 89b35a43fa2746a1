// Pair losses by name, for command lines: a loss over embeddings, labels and sample ids.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "losses/anchors.h"

namespace ditto::losses {

// Options that some of the losses read; what is not given is the loss's own default.
struct PairLossConfig {
  std::optional<double> temperature = {};
  std::optional<double> k1 = {}, k2 = {};  // tcl
  std::optional<double> beta = {};         // h-scl
  std::optional<double> margin = {};       // triplet-*, multi-similarity
  std::optional<double> scale = {};
  std::optional<NoPositive> no_positive = {};
};

// z (n, d): the views of a batch stacked one after another, normalised by the loss; labels (n) i64,
// ignored by losses without supervision; samples (n) i64: rows of one id are views of one image.
using PairLossByName =
    std::function<PairLoss(const Tensor& z, const Tensor& labels, const Tensor& samples)>;

// "supcon", "tcl", ..., in the order help texts show them.
std::vector<std::string> pair_loss_names();
// An unknown name throws with the list.
PairLossByName make_pair_loss(const std::string& name, const PairLossConfig& config = {});
// Whether the loss reads the labels.
bool uses_labels(const std::string& name);

}  // namespace ditto::losses
