#include "models/classifier.h"

namespace ditto::models {

void Classifier::add_head(const std::string& name, int64_t features, int64_t classes,
                          const nn::HeadOptions& options) {
  head_options_ = options;
  if (classes == 0) return;
  if (options.cosine_scale > 0)
    head_ = &child<nn::CosineLinear>(name, features, classes, options.cosine_scale);
  else
    head_ = &child<nn::Linear>(name, features, classes,
                               nn::LinearOptions{.bias = options.bias, .flattened_image = {}});
}

}  // namespace ditto::models
