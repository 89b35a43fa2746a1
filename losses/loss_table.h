// The table of classification losses by name, in three parts; losses.cpp makes losses of it. An
// entry is all that a loss needs to have a name on the command line.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "losses/losses.h"

namespace ditto::losses {

// The option values of one loss, defaults filled in, and the label smoothing.
struct Values {
  std::map<std::string, double> options;
  double label_smoothing;
  double operator[](const char* name) const { return options.at(name); }
  int whole(const char* name) const {
    return static_cast<int>(whole_option(name, options.at(name)));
  }
  bool flag(const char* name) const {
    const double value = options.at(name);
    check(value == 0 || value == 1, "[losses]", name, "must be 0 or 1, got", value);
    return value == 1;
  }
};

// Per-row losses (n); a scalar for losses of the whole batch.
using Context = const StepContext&;
using RowLoss =
    std::function<Tensor(const ClassifierOutput& output, const Tensor& target, Context context)>;
using State = std::unique_ptr<nn::Module>;

// What a loss reads beside logits of a linear head.
enum class Reads {
  Logits,
  Cosines,   // logits of a cosine head with the loss's scale
  Features,  // features and weights of a head without bias
  CosinesAndFeatures,
  Teacher,
  TeacherAndFeatures,
};

// One name.
struct LossEntry {
  const char* name;
  std::vector<LossOption> options;
  bool soft_targets;
  RowLoss (*make)(const Values&);
  Reads reads = Reads::Logits;
  State (*make_state)(const Values&, const TrainingShape&) = nullptr;
  bool differs_between_steps = false;
};

// For the losses' own reduction.
inline constexpr Reduction kRows = Reduction::None;

std::vector<LossEntry> plain_losses();  // of the logits of any head
std::vector<LossEntry> head_losses();   // of a head's cosines, features and weights, of a teacher
std::vector<LossEntry> step_losses();   // that draw numbers, remember or train something

}  // namespace ditto::losses
