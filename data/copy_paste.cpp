#include "data/copy_paste.h"

#include <algorithm>

#include "core/on_device.h"
#include "kernels/blur.h"
#include "kernels/paste.h"

namespace ditto::data {
namespace {

void check_masks(const Instances& instances, const char* which, int width, int height) {
  check_instances(instances, width, height);
  check(instances.size() == 0 || !instances.masks.empty(),
        "[copy_paste] objects without masks in the image of the", which);
}

std::vector<size_t> choose(const PasteOptions& options, Rng& rng, const Instances& source) {
  std::vector<size_t> objects, chosen;
  for (size_t i = 0; i < source.size(); ++i)
    if (source.ignore[i] == 0) objects.push_back(i);
  for (const size_t i : objects)
    if (rng.chance(options.pick)) chosen.push_back(i);
  if (chosen.empty() && !objects.empty()) chosen.push_back(objects[rng.below(objects.size())]);
  return chosen;
}

}  // namespace

std::optional<Paste> draw_paste(const PasteOptions& options, Rng& rng, const Instances& destination,
                                const Instances& source, int width, int height,
                                const SurvivalRules& rules) {
  check(options.probability >= 0 && options.probability <= 1 && options.pick >= 0 &&
            options.pick <= 1,
        "[copy_paste] probability and pick in [0, 1], got", options.probability, options.pick);
  check_masks(destination, "destination", width, height);
  check_masks(source, "source", width, height);
  if (!rng.chance(options.probability)) return std::nullopt;
  const std::vector<size_t> chosen = choose(options, rng, source);
  if (chosen.empty()) return std::nullopt;

  Paste paste;
  paste.mask = Rle(height, width);
  for (const size_t i : chosen) paste.mask = paste.mask | source.masks[i];
  Instances seen = destination;
  if (seen.visibility.empty()) seen.visibility.assign(seen.size(), 1.0);
  for (size_t i = 0; i < seen.size(); ++i)
    append_rest(paste.instances, seen, i, seen.masks[i] - paste.mask, rules);
  paste.pasted.assign(paste.instances.size(), 0);
  for (const size_t i : chosen) {
    const bool known = std::ranges::find(destination.ids, source.ids[i]) != destination.ids.end();
    check(!known, "[copy_paste] both images have the object", source.ids[i].annotation, "of image",
          source.ids[i].image);
    paste.instances.append(source, i);
    paste.pasted.push_back(1);
  }
  return paste;
}

Tensor paste_weights(const Rle& mask, double soften) {
  check(soften >= 0 && soften <= 1000, "[copy_paste] soften must be 0 to 1000 pixels, got", soften);
  const std::vector<uint8_t> set = mask.decode();
  const Tensor out = Tensor::empty({mask.height, mask.width});
  std::ranges::copy(set, out.data<float>());
  if (soften > 0)
    kernels::blur(kernels::blur_change(soften, 2), out.data<float>(), mask.height, mask.width, 1);
  return out;
}

void paste_pixels(const Tensor& source, const Tensor& weights, const Tensor& image) {
  const auto as_batch = [](const Tensor& x) {
    Shape shape{1};
    for (int d = 0; d < x.shape().rank(); ++d) shape.push_back(x.dim(d));
    return x.alias(shape, contiguous_strides(shape), x.offset()).view();
  };
  for (const Tensor* t : {&source, &weights, &image})
    check(t->defined() && t->is_contiguous() && t->device() == image.device(),
          "[copy_paste] undefined or strided pixels, or on several devices");
  on_device(image.device(), [&](auto& ctx) {
    kernels::paste(ctx, as_batch(source), as_batch(weights), as_batch(image));
  });
}

}  // namespace ditto::data
