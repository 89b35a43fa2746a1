// Pair losses by name, for command lines: a loss over embeddings, labels and sample ids.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "losses/anchors.h"
#include "losses/losses.h"

namespace ditto::losses {

// z (n, d), normalised by the loss; labels (n) i64, ignored by losses without supervision; context:
// most losses need no more than the ids of the images, which a tensor can stand for: rows of one id
// are views of one image, in any order.
using PairLossByName =
    std::function<PairLoss(const Tensor& z, const Tensor& labels, const StepContext& context)>;

// "supcon", "tcl", ..., in the order help texts show them.
std::vector<std::string> pair_loss_names();
// Values of the loss's own options by name, and `scale`, a factor on the loss and its gradient (1);
// those left out have their defaults. An unknown name
// throws with the list; so does an unknown option, with the loss's.
PairLossByName make_pair_loss(const std::string& name,
                              const std::map<std::string, double>& options = {});
std::vector<LossOption> pair_loss_options(const std::string& name);
// Whether the loss reads the labels.
bool uses_labels(const std::string& name);
// As make_loss_state and differs_between_steps of losses.h.
std::unique_ptr<nn::Module> make_pair_loss_state(const std::string& name,
                                                 const TrainingShape& shape,
                                                 const std::map<std::string, double>& options = {});
bool pair_loss_differs_between_steps(const std::string& name);
// How many views of an image the loss is made for; 0: any number from two on.
int64_t pair_loss_views(const std::string& name);

}  // namespace ditto::losses
