#include "losses/angular.h"

#include <algorithm>
#include <numeric>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/label_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "core/rng.h"
#include "losses/targets.h"

namespace ditto::losses {
namespace {

Tensor cross_entropy_of(const Tensor& logits, const Tensor& labels, int64_t ignore_index,
                        Reduction reduction) {
  return reduce(cross_entropy_rows(logits, labels, {.ignore_index = ignore_index}), reduction,
                static_cast<double>(counted_rows(labels, ignore_index)));
}

void check_scale(const char* op, double scale) {
  if (!(scale > 0)) fail(std::string("[") + op + "] the scale must be positive:", scale);
}

// cos(theta + m) of c = cos(theta); m (n) or a scalar, a constant. 1 - c^2 is at least 1e-12,
// because the derivative of its root is infinite at c = +-1.
Tensor arc_margin(const Tensor& c, const Tensor& m, bool monotone) {
  const Tensor cos_m = cos(m), sin_m = sin(m);
  const Tensor sine = sqrt(maximum((1.0 - c) * (1.0 + c), 1e-12));
  const Tensor literal = c * cos_m - sine * sin_m;
  if (!monotone) return literal;
  const Tensor beyond = c - m * sin_m;
  return beyond + greater(c, -cos_m) * (literal - beyond);  // theta < pi - m
}

// s c with s psi for the true class; f32 or f64.
Tensor arc_logits(const Tensor& cosines, const Tensor& labels, const Tensor& margins, double scale,
                  bool monotone, int64_t ignore_index) {
  const Tensor own = pick_label(cosines, labels, ignore_index);
  return put_label(cosines, labels, arc_margin(own, margins, monotone), scale, ignore_index);
}
Tensor cos_logits(const Tensor& cosines, const Tensor& labels, const Tensor& margins, double scale,
                  int64_t ignore_index) {
  const Tensor own = pick_label(cosines, labels, ignore_index);
  return put_label(cosines, labels, own - margins, scale, ignore_index);
}

Tensor scalar_like(const Tensor& x, double value) {
  return Tensor::scalar(value, x.dtype(), x.device());
}

}  // namespace

Tensor class_cosines(const Tensor& features, const Tensor& weights) {
  check_rank("class_cosines", features, 2);
  check_rank("class_cosines", weights, 2);
  return widened(linear(l2_normalize(widened(features)), l2_normalize(widened(weights))));
}

Tensor normalized_softmax(const Tensor& cosines, const Tensor& target,
                          const NormalizedSoftmaxOptions& o) {
  check_scale("normalized_softmax", o.scale);
  check_rank("normalized_softmax", cosines, 2);
  const Tensor rows =
      cross_entropy_rows(widened(cosines) * o.scale, target,
                         {.label_smoothing = o.label_smoothing, .ignore_index = o.ignore_index});
  return reduce(rows, o.reduction, static_cast<double>(counted_rows(target, o.ignore_index)));
}

Tensor cosface_logits(const Tensor& cosines, const Tensor& labels, const CosFaceOptions& o) {
  check_scale("cosface", o.scale);
  check(o.margin >= 0, "[cosface] the margin must not be negative:", o.margin);
  check_hard("cosface", cosines, labels);
  const Tensor c = widened(cosines);
  return cos_logits(c, labels, scalar_like(c, o.margin), o.scale, o.ignore_index);
}

Tensor cosface(const Tensor& cosines, const Tensor& labels, const CosFaceOptions& o) {
  return cross_entropy_of(cosface_logits(cosines, labels, o), labels, o.ignore_index, o.reduction);
}

Tensor arcface_logits(const Tensor& cosines, const Tensor& labels, const ArcFaceOptions& o) {
  check_scale("arcface", o.scale);
  check(o.margin >= 0 && o.margin <= 1.5,
        "[arcface] the margin must be in [0, 1.5] radians:", o.margin);
  check_hard("arcface", cosines, labels);
  const Tensor c = widened(cosines);
  return arc_logits(c, labels, scalar_like(c, o.margin), o.scale, o.monotone, o.ignore_index);
}

Tensor arcface(const Tensor& cosines, const Tensor& labels, const ArcFaceOptions& o) {
  return cross_entropy_of(arcface_logits(cosines, labels, o), labels, o.ignore_index, o.reduction);
}

Tensor elastic_margins(int64_t n, const ElasticFaceOptions& o) {
  const bool arc = o.kind == ElasticKind::Arc;
  const double mean = o.mean >= 0 ? o.mean : (arc ? 0.5 : 0.35);
  const double plain = o.plus ? (arc ? 0.0175 : 0.02) : 0.05;
  const double deviation = o.deviation >= 0 ? o.deviation : plain;
  Rng rng(o.seed, Purpose::User, o.step);
  std::vector<double> margins(static_cast<size_t>(n));
  for (double& margin : margins) margin = mean + deviation * rng.normal();
  return Tensor::from(margins, {n});
}

Tensor elastic_assignment(const Tensor& margins, const Tensor& cosines, const Tensor& labels,
                          int64_t ignore_index) {
  check_rank("elastic_face", margins, 1);
  NoGrad guard;
  const auto own = pick_label(cosines.detach(), labels, ignore_index).to_vector<double>();
  auto sorted = margins.detach().to_vector<double>();
  check(sorted.size() == own.size(), "[elastic_face] needs one margin per row:", margins, "for",
        cosines);
  std::sort(sorted.begin(), sorted.end());
  std::vector<size_t> rows(own.size());
  std::iota(rows.begin(), rows.end(), size_t{0});
  std::stable_sort(rows.begin(), rows.end(), [&](size_t a, size_t b) { return own[a] > own[b]; });
  std::vector<double> assigned(own.size());
  for (size_t i = 0; i < rows.size(); ++i) assigned[rows[i]] = sorted[i];
  return Tensor::from(assigned, margins.shape(), margins.dtype()).to(margins.device());
}

Tensor elastic_face(const Tensor& cosines, const Tensor& labels, const ElasticFaceOptions& o,
                    const Tensor& margins) {
  check_scale("elastic_face", o.scale);
  check_hard("elastic_face", cosines, labels);
  if (margins.defined()) check_match("elastic_face", cosines, margins);
  Tensor m = margins.defined()
                 ? margins.detach()
                 : elastic_margins(cosines.dim(0), o).to(cosines.dtype()).to(cosines.device());
  check(m.shape() == Shape{cosines.dim(0)}, "[elastic_face] needs one margin per row:", m, "for",
        cosines);
  if (o.plus) m = elastic_assignment(m, cosines, labels, o.ignore_index);
  const Tensor logits = o.kind == ElasticKind::Arc
                            ? arc_logits(cosines, labels, m, o.scale, o.monotone, o.ignore_index)
                            : cos_logits(cosines, labels, m, o.scale, o.ignore_index);
  return cross_entropy_of(logits, labels, o.ignore_index, o.reduction);
}

Tensor sface(const Tensor& matrix, const Tensor& labels, const SFaceOptions& o) {
  check_scale("sface", o.scale);
  check(o.slope >= 0, "[sface] the slope must not be negative:", o.slope);
  check_hard("sface", matrix, labels);
  const Tensor cosines = widened(matrix);
  const Tensor weights = [&] {
    NoGrad guard;
    const Tensor angle = acos(cosines.detach());
    const Tensor own = pick_label(angle, labels, o.ignore_index);
    return put_label(sigmoid((o.inter - angle) * o.slope), labels,
                     -sigmoid((own - o.intra) * o.slope), o.scale, o.ignore_index);
  }();
  Tensor rows = sum(cosines * weights, 1);
  if (const Tensor mask = row_mask(cosines, labels, o.ignore_index); mask.defined())
    rows = rows * mask;
  return reduce(rows, o.reduction, static_cast<double>(counted_rows(labels, o.ignore_index)));
}

}  // namespace ditto::losses
