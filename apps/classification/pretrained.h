// Starting a training from given weights: a file of this program's, or torchvision's converted by
// apps/convert_torchvision.py.
#pragma once

#include <filesystem>
#include <string>

#include "nn/state_dict.h"

namespace ditto::apps {

// Copies the tensors of a safetensors file, in PyTorch's names and order, into the model. The
// classifier ("fc", "classifier") is the one part that may differ or be absent on either side: it
// then keeps the values it has. Anything else that does not fit throws Error with the whole list,
// and nothing is changed.
nn::LoadReport load_pretrained(nn::Module& model, const std::filesystem::path& path);

// What was loaded and what was not, and why, for the log.
std::string pretrained_text(const std::filesystem::path& path, const nn::LoadReport& report);

}  // namespace ditto::apps
