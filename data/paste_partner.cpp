#include "data/paste_partner.h"

#include "core/on_device.h"
#include "kernels/augment.h"

namespace ditto::data {
namespace {

// Transform::apply knows the CPU alone.
void apply(const Transform& transform, const Tensor& image, const Tensor& out) {
  if (image.device().is_cpu()) return transform.apply(image, out);
  const Frame& frame = transform.frame();
  check(image.shape() == Shape{frame.source_height, frame.source_width, out.dim(2)} &&
            out.shape() == Shape{frame.height, frame.width, out.dim(2)} && image.is_contiguous() &&
            out.is_contiguous(),
        "[render_replica] image", image, "and canvas", out, "do not fit a transform of",
        frame.source_height, "x", frame.source_width, "to", frame.height, "x", frame.width);
  const auto as_batch = [](const Tensor& x) {
    const Shape shape{1, x.dim(0), x.dim(1), x.dim(2)};
    return x.alias(shape, contiguous_strides(shape), x.offset()).view();
  };
  const kernels::AugmentRow record = transform.row(0);
  on_device(image.device(), [&](auto& ctx) {
    kernels::augment(ctx, as_batch(image), {&record, 1}, as_batch(out));
  });
}

}  // namespace

Rng ReplicaKey::rng(Purpose purpose) const {
  return Rng(seed, purpose, static_cast<uint64_t>(sample), static_cast<uint64_t>(epoch),
             static_cast<uint64_t>(replica));
}

std::optional<PastePartner> draw_partner(const InstanceDataset& dataset, const Augment& policy,
                                         const PasteOptions& options, const ReplicaKey& key,
                                         const ImageInfo& canvas, const Instances& instances,
                                         const SurvivalRules& rules) {
  Rng rng = key.rng(Purpose::Paste);
  if (dataset.size() < 2 || !rng.chance(options.probability)) return std::nullopt;
  const auto drawn = static_cast<int64_t>(rng.below(static_cast<uint64_t>(dataset.size() - 1)));
  const int64_t sample = drawn + (drawn >= key.sample);
  // A selection may have an image twice; its objects cannot be on a canvas twice.
  if (&dataset.annotated(sample) == &dataset.annotated(key.sample)) return std::nullopt;
  Transform transform = policy.draw(rng, dataset.info(sample));
  const ImageInfo own = transform.canvas();
  if (own.width != canvas.width || own.height != canvas.height)
    transform.append(Transform::geometric(own, Affine{}, canvas.width, canvas.height));
  PasteOptions certain = options;  // the chance was taken above
  certain.probability = 1;
  std::optional<Paste> paste = draw_paste(
      certain, rng, instances, transform_instances(transform, dataset.instances(sample), rules),
      canvas.width, canvas.height, rules);
  if (!paste) return std::nullopt;
  return PastePartner{sample, std::move(transform), std::move(*paste)};
}

void render_replica(const ReplicaParts& parts, const Tensor& canvas) {
  const auto& [transform, image, colours, partner, partner_image, weights] = parts;
  if (!partner) return apply(colours ? transform.then(*colours) : transform, image, canvas);
  const auto like_canvas = [&] {
    return Tensor::empty(canvas.shape(), Dtype::F32, canvas.device());
  };
  const Tensor pasted = colours ? like_canvas() : canvas, source = like_canvas();
  apply(transform, image, pasted);
  apply(partner->transform, partner_image, source);
  paste_pixels(source, weights, pasted);
  if (colours) apply(*colours, pasted, canvas);
}

}  // namespace ditto::data
