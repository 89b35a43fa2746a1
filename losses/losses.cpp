#include "losses/losses.h"

namespace ditto::losses {
namespace {

struct Entry {
  const char* name;
  bool uses_groups;
  ClassificationLoss (*make)(const LossConfig&);
};

// The one table of names.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> table = {
      {"cce", false,
       [](const LossConfig& c) -> ClassificationLoss {
         return [c](const Tensor& logits, const Tensor& target, const Tensor&) {
           return cross_entropy(
               logits, target,
               {.label_smoothing = c.label_smoothing, .ignore_index = kNoIgnoredLabel});
         };
       }},
      {"t-cce", true,
       [](const LossConfig& c) -> ClassificationLoss {
         return [c](const Tensor& logits, const Tensor& target, const Tensor& groups) {
           return loss_transform(logits, target, groups,
                                 {.rho = c.rho,
                                  .anchor_grad = c.anchor_grad,
                                  .mixing = c.mixing,
                                  .label_smoothing = c.label_smoothing});
         };
       }},
  };
  return table;
}

const Entry& find(const std::string& name) {
  std::string known;
  for (const Entry& entry : entries()) {
    if (name == entry.name) return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail("[losses] unknown loss '" + name + "'; known: " + known);
}

}  // namespace

std::vector<std::string> loss_names() {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) names.push_back(entry.name);
  return names;
}

ClassificationLoss make_loss(const std::string& name, const LossConfig& config) {
  return find(name).make(config);
}

bool uses_groups(const std::string& name) { return find(name).uses_groups; }

}  // namespace ditto::losses
