#include "data/transform.h"

#include "core/box_map.h"
#include "kernels/blur.h"
#include "kernels/resample.h"

namespace ditto::data {

Transform::Transform(const ImageInfo& info)
    : frame_(Frame::identity(info.width, info.height)), channels_(info.channels), fill_(info.fill) {
  check(info.width >= 1 && info.height >= 1, "[transform] empty image:", info.width, "x",
        info.height);
  check(info.channels >= 1 && info.channels <= kernels::kMaxChannels,
        "[transform] 1 to 4 channels, got", info.channels);
}

Transform Transform::geometric(const ImageInfo& info, const Affine& map, int width, int height) {
  check(width >= 1 && height >= 1, "[transform] empty canvas:", width, "x", height);
  static_cast<void>(map.inverse());  // throws when there is none
  Transform out(info);
  out.frame_ = Frame::of(map, info.width, info.height, width, height);
  return out;
}

Transform Transform::resized(const ImageInfo& info, const Rect& area, int width, int height) {
  const Rect image{0, 0, double(info.width), double(info.height)};
  check(area.area() > 0 && contains(image, area), "[transform] the area x", area.x0, area.x1, "y",
        area.y0, area.y1, "is empty or not inside the image of", info.width, "x", info.height);
  const Affine map =
      Affine::translation(-area.x0, -area.y0)
          .then(Affine::scaling(width / (area.x1 - area.x0), height / (area.y1 - area.y0)));
  Transform out = geometric(info, map, width, height);
  out.frame_.area = area;
  out.average_ = true;
  return out;
}

Transform Transform::erase(const ImageInfo& info, const Rect& area) {
  Transform out(info);
  out.erase_.push_back({Affine{}, area});
  return out;
}

Transform Transform::channels(const ImageInfo& info, const kernels::ChannelValues& scale,
                              const kernels::ChannelValues& offset) {
  Transform out(info);
  out.scale_ = scale, out.offset_ = offset;
  return out;
}

Transform Transform::colour(const ImageInfo& info, const kernels::ColourChange& change) {
  check(info.channels == 1 || info.channels == 3,
        "[transform] a change of colour needs 1 or 3 channels, got", info.channels);
  if (change.kind == kernels::ColourKind::Blur) kernels::check_blur(change);
  Transform out(info);
  out.colours_.push_back(change);
  return out;
}

Transform& Transform::append(const Transform& next) {
  if (&next == this) return append(Transform(next));
  check(frame_.width == next.frame_.source_width && frame_.height == next.frame_.source_height &&
            channels_ == next.channels_,
        "[transform] the next transform was made for", next.frame_.source_width, "x",
        next.frame_.source_height, "x", next.channels_, "but the canvas is", frame_.width, "x",
        frame_.height, "x", channels_);
  if (!next.keeps_geometry()) append_geometry(next);
  erase_.insert(erase_.end(), next.erase_.begin(), next.erase_.end());
  if (next.colours_.empty()) {
    for (int c = 0; c < kernels::kMaxChannels; ++c) {
      scale_[c] *= next.scale_[c];
      offset_[c] = next.scale_[c] * offset_[c] + next.offset_[c];
    }
  } else {
    if (scale_ != kernels::ChannelValues{1, 1, 1, 1} || offset_ != kernels::ChannelValues{})
      colours_.push_back({kernels::ColourKind::Affine, 1, scale_, offset_});
    colours_.insert(colours_.end(), next.colours_.begin(), next.colours_.end());
    scale_ = next.scale_, offset_ = next.offset_;
  }
  return *this;
}

bool Transform::keeps_geometry() const {
  return frame_.map == Affine{} && frame_.width == frame_.source_width &&
         frame_.height == frame_.source_height && frame_.clip == kEverywhere &&
         frame_.area == kEverywhere && frame_.windows.empty() && !average_;
}

void Transform::append_geometry(const Transform& next) {
  const double scale = std::sqrt(std::fabs(next.frame_.map.determinant()));
  for (kernels::ColourChange& change : colours_)
    if (change.kind == kernels::ColourKind::Blur) kernels::scale_blur(change, scale);
  if (!erase_.empty()) {
    const Affine back = next.frame_.map.inverse();
    for (kernels::Erase& area : erase_) area.to_rect = back.then(area.to_rect);
  }
  average_ = average_ || next.average_;
  back_ = false;
  frame_.append(next.frame_);
}

Transform Transform::then(const Transform& next) const {
  Transform out = *this;
  out.append(next);
  return out;
}

Transform Transform::inverse() const {
  Transform out = *this;
  out.frame_ = frame_.inverse();
  out.back_ = !back_;
  out.fill_ = canvas().fill;
  out.erase_.clear();  // those pixels hold the fill colour already
  out.colours_.clear();
  for (int c = 0; c < channels_; ++c) {
    const bool lost = scale_[c] == 0;
    out.scale_[c] = lost ? 1 : 1 / scale_[c];
    out.offset_[c] = lost ? 0 : -offset_[c] / scale_[c];
  }
  return out;
}

Rect Transform::apply(const Rect& box) const {
  return back_ ? box_back(frame_.map.inverse(), box) : frame_.map(box);
}

Lost Transform::lost() const {
  Lost lost;
  lost.resampled = !moves_whole_pixels(frame_.map);
  lost.cut = frame_.cuts();
  lost.erased = !erase_.empty();
  lost.colour = !colours_.empty();
  for (int c = 0; c < channels_; ++c) lost.colour = lost.colour || scale_[c] == 0;
  return lost;
}

std::string to_string(const Lost& lost) {
  std::string out;
  const auto add = [&](bool is, const char* name) {
    if (is) out += (out.empty() ? "" : ", ") + std::string(name);
  };
  add(lost.cut, "cut"), add(lost.resampled, "resampled"), add(lost.erased, "erased");
  add(lost.colour, "colour");
  return out.empty() ? "nothing" : out;
}

Tensor Transform::apply(const Tensor& image) const {
  const Tensor out = Tensor::empty({frame_.height, frame_.width, channels_});
  apply(image, out);
  return out;
}

void Transform::apply(const Tensor& image, const Tensor& out) const {
  const Shape expected{frame_.source_height, frame_.source_width, channels_};
  const Shape canvas{frame_.height, frame_.width, channels_};
  check(image.defined() && image.shape() == expected, "[transform] made for an image of", expected,
        "but got", image.defined() ? image.shape() : Shape{});
  check(out.defined() && out.shape() == canvas && out.is_contiguous(),
        "[transform] out must be contiguous", canvas, "got", out);
  const auto as_batch = [](const Tensor& x) {
    const Shape shape{1, x.dim(0), x.dim(1), x.dim(2)};
    return x.alias(shape, contiguous_strides(shape), x.offset());
  };
  const kernels::AugmentRow record = row(0);
  kernels::augment(cpu_context(), as_batch(image.contiguous()).view(), {&record, 1},
                   as_batch(out).view());
}

std::vector<Point> Transform::apply(std::span<const Point> points) const {
  std::vector<Point> out;
  out.reserve(points.size());
  for (const Point& point : points) out.push_back(frame_.map(point));
  return out;
}

ImageInfo Transform::canvas() const {
  ImageInfo info{frame_.width, frame_.height, channels_, {}};
  for (int c = 0; c < channels_; ++c) info.fill[c] = scale_[c] * fill_[c] + offset_[c];
  return info;
}

kernels::AugmentRow Transform::row(int64_t source) const {
  return {source,         frame_.map.inverse(),
          frame_.clip,    frame_.area,
          frame_.windows, average_,
          colours_,       erase_,
          scale_,         offset_,
          fill_};
}

Transform Compose::draw(Rng& rng, const ImageInfo& info) const {
  if (parts_.empty()) return Transform(info);
  Transform out = parts_.front()->draw(rng, info);
  for (size_t i = 1; i < parts_.size(); ++i) out.append(parts_[i]->draw(rng, out.canvas()));
  return out;
}

}  // namespace ditto::data
