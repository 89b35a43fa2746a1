#include "apps/data_tools/sheet.h"

#include <map>

#include "core/box_map.h"
#include "data/paste_partner.h"

namespace ditto::apps {
namespace {

constexpr int kGap = 8;
constexpr double kFaded = 0.35;

Point centre(const Rect& box) { return {(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2}; }

// Panels of one line, from left to right, and lines from top to bottom.
struct Line {
  std::vector<Picture> panels;
  int height() const {
    int most = 0;
    for (const Picture& panel : panels) most = std::max(most, panel.height());
    return most;
  }
  int width() const {
    int sum = kGap;
    for (const Picture& panel : panels) sum += panel.width() + kGap;
    return sum;
  }
};

int left_of(const Line& line, size_t panel) {
  int x = kGap;
  for (size_t i = 0; i < panel; ++i) x += line.panels[i].width() + kGap;
  return x;
}

// `joins`: lines between points of panels of one line.
struct Join {
  size_t line;
  size_t from_panel, to_panel;
  Point from, to;
  Colour colour;
};

Picture lay_out(const std::vector<Line>& lines, const std::vector<Join>& joins) {
  int width = 1, height = kGap;
  std::vector<int> tops;
  for (const Line& line : lines) {
    width = std::max(width, line.width());
    tops.push_back(height);
    height += line.height() + kGap;
  }
  Picture sheet(width, height);
  for (size_t k = 0; k < lines.size(); ++k)
    for (size_t i = 0; i < lines[k].panels.size(); ++i)
      sheet.image(left_of(lines[k], i), tops[k], lines[k].panels[i].pixels());
  for (const Join& join : joins) {
    const Line& line = lines[join.line];
    const auto at = [&](size_t panel, Point p) {
      return Point{p.x + left_of(line, panel), p.y + tops[join.line]};
    };
    sheet.line(at(join.from_panel, join.from), at(join.to_panel, join.to), join.colour);
  }
  return sheet;
}

Picture panel_of(const Tensor& image, double opacity = 1) {
  Picture panel(static_cast<int>(image.dim(1)), static_cast<int>(image.dim(0)), {0, 0, 0});
  panel.image(0, 0, image, opacity);
  return panel;
}

constexpr Colour kIgnored = {150, 150, 150};

void annotate(Picture& panel, const data::Instances& objects,
              const std::map<data::InstanceId, Colour>& colours) {
  for (size_t k = 0; k < objects.size(); ++k) {
    const Colour colour = objects.ignore[k] ? kIgnored : colours.at(objects.ids[k]);
    if (!objects.masks.empty()) panel.mask(0, 0, objects.masks[k], colour);
    panel.box(objects.boxes[k], colour);
  }
}

struct Replica {
  data::Transform transform;
  data::Instances objects;
  Tensor pixels;
  std::vector<uint8_t> pasted = {};  // per object

  // Of the original: objects to find that come from it.
  bool has(size_t k) const { return !objects.ignore[k] && !pasted[k]; }
};

Replica draw_replica(const data::InstanceDataset& dataset, const data::Augment& augment,
                     const SheetOptions& options, int64_t sample, int number,
                     const Tensor& original) {
  const data::ReplicaKey key{static_cast<uint64_t>(options.seed), 0, sample, number};
  Rng rng = key.rng(Purpose::Augment);
  auto [transform, seen, draws, fallback] = data::draw_with_instances(
      augment, augment, rng, dataset.info(sample), dataset.instances(sample), options.survival);
  const data::ImageInfo canvas = transform.canvas();
  std::vector<uint8_t> pasted(seen.size());
  std::optional<data::Transform> colours;
  if (options.colours) colours = options.colours->draw(rng, canvas);
  std::optional<data::PastePartner> partner =
      data::draw_partner(dataset, augment, options.paste, key, canvas, seen, options.survival);
  data::ReplicaParts parts{
      .transform = transform, .image = original, .colours = colours ? &*colours : nullptr};
  if (partner) parts.partner_image = dataset.image(partner->sample);
  if (parts.partner_image.defined()) {
    parts.partner = &*partner;
    parts.weights = data::paste_weights(partner->paste.mask, options.paste.soften);
    seen = partner->paste.instances;
    pasted = partner->paste.pasted;
  }
  const Tensor pixels = Tensor::empty({canvas.height, canvas.width, dataset.channels()});
  data::render_replica(parts, pixels);
  return {std::move(transform), std::move(seen), pixels, std::move(pasted)};
}

// By the maps that bring predictions back.
void show_back(Picture& panel, const Replica& replica,
               const std::map<data::InstanceId, Colour>& colours) {
  const BoxBack back(replica.transform.frame().map);
  const NearestMap masks_back = NearestMap::back(replica.transform.frame());
  const data::Instances& objects = replica.objects;
  for (size_t k = 0; k < objects.size(); ++k) {
    if (!replica.has(k)) continue;
    const Colour colour = colours.at(objects.ids[k]);
    if (!objects.masks.empty()) panel.mask(0, 0, warp(objects.masks[k], masks_back), colour);
    panel.box(back(objects.boxes[k]), colour);
  }
}

// The replica's pixels where the original shows through it, on the faded original.
Picture back_on_original(const Tensor& original, const data::Transform& transform,
                         const Tensor& pixels) {
  Picture panel = panel_of(original, kFaded);
  const Tensor returned = transform.inverse().apply(pixels);
  // Where every pixel is certain: there and back as a mask, pixel by pixel.
  const Frame& frame = transform.frame();
  const Rle everything =
      Rle::rectangle({0, 0, double(frame.source_width), double(frame.source_height)},
                     frame.source_height, frame.source_width);
  const Rle shown = warp(warp(everything, transform.nearest()), NearestMap::back(frame));
  Picture full = panel_of(returned);
  const uint8_t* from = full.pixels().data<uint8_t>();
  uint8_t* to = panel.pixels().data<uint8_t>();
  for (const ColumnRun& run : shown.runs())
    for (int y = run.top; y < run.bottom; ++y) {
      const int64_t at = 3 * (int64_t{y} * panel.width() + run.column);
      std::copy_n(from + at, 3, to + at);
    }
  return panel;
}

Tensor enlarged(const Tensor& image, int64_t factor) {
  if (factor == 1) return image;
  const Tensor out =
      Tensor::empty({image.dim(0) * factor, image.dim(1) * factor, image.dim(2)}, image.dtype());
  const int64_t channels = image.dim(2);
  const auto fill = [&]<class T>(const T* from, T* to) {
    for (int64_t y = 0; y < out.dim(0); ++y)
      for (int64_t x = 0; x < out.dim(1); ++x, to += channels)
        std::copy_n(from + (y / factor * image.dim(1) + x / factor) * channels, channels, to);
  };
  if (image.dtype() == Dtype::U8)
    fill(image.data<uint8_t>(), out.data<uint8_t>());
  else
    fill(image.data<float>(), out.data<float>());
  return out;
}

}  // namespace

Picture instance_sheet(const data::InstanceDataset& dataset, const data::Augment& augment,
                       const SheetOptions& options) {
  std::vector<Line> lines;
  std::vector<Join> joins;
  for (int64_t i = options.first; i < std::min(options.first + options.images, dataset.size());
       ++i) {
    const Tensor original = dataset.image(i);
    if (!original.defined()) continue;
    const data::Instances& objects = dataset.instances(i);
    std::map<data::InstanceId, Colour> colours;
    for (const data::InstanceId& id : objects.ids)
      colours.emplace(id, distinct_colour(static_cast<int64_t>(colours.size())));
    std::vector<Replica> replicas;
    for (int r = 0; r < options.replicas; ++r) {
      replicas.push_back(draw_replica(dataset, augment, options, i, r, original));
      for (const data::InstanceId& id : replicas.back().objects.ids)
        colours.emplace(id, distinct_colour(static_cast<int64_t>(colours.size())));
    }

    Line upper, lower;
    upper.panels.push_back(panel_of(original));
    annotate(upper.panels.back(), objects, colours);
    lower.panels.push_back(panel_of(original));
    for (size_t r = 0; r < replicas.size(); ++r) {
      upper.panels.push_back(panel_of(replicas[r].pixels));
      annotate(upper.panels.back(), replicas[r].objects, colours);
      show_back(lower.panels.front(), replicas[r], colours);
      lower.panels.push_back(back_on_original(original, replicas[r].transform, replicas[r].pixels));
      show_back(lower.panels.back(), replicas[r], colours);
    }
    // An object that several replicas show is one pair after the other (Eq. 5: by annotation).
    for (const auto& [id, colour] : colours) {
      std::optional<std::pair<size_t, Point>> last;
      for (size_t r = 0; r < replicas.size(); ++r) {
        const data::Instances& seen = replicas[r].objects;
        for (size_t k = 0; k < seen.size(); ++k) {
          if (seen.ids[k] != id || !replicas[r].has(k)) continue;
          const Point here = centre(seen.boxes[k]);
          if (last) joins.push_back({lines.size(), last->first, r + 1, last->second, here, colour});
          last = {r + 1, here};
        }
      }
    }
    lines.push_back(std::move(upper));
    lines.push_back(std::move(lower));
  }
  check(!lines.empty(), "[show-data] no image of", dataset.name(), "can be shown");
  return lay_out(lines, joins);
}

Picture image_sheet(const data::ImageDataset& dataset, const data::Augment& augment,
                    const SheetOptions& options) {
  std::vector<Line> lines;
  for (int64_t i = options.first; i < std::min(options.first + options.images, dataset.size());
       ++i) {
    const Tensor original = dataset.image(i);
    if (!original.defined()) continue;
    const int64_t factor = std::max<int64_t>(1, 96 / std::max(original.dim(0), original.dim(1)));
    Line line;
    line.panels.push_back(panel_of(enlarged(original, factor)));
    std::vector<Picture> back;
    for (int r = 0; r < options.replicas; ++r) {
      Rng rng(static_cast<uint64_t>(options.seed), Purpose::Augment, static_cast<uint64_t>(i), 0,
              static_cast<uint64_t>(r));
      const data::Transform transform =
          augment.draw(rng, dataset.info(original.dim(0), original.dim(1)));
      const Tensor pixels = transform.apply(original);
      line.panels.push_back(panel_of(enlarged(pixels, factor)));
      back.push_back(
          panel_of(enlarged(back_on_original(original, transform, pixels).pixels(), factor)));
    }
    for (Picture& panel : back) line.panels.push_back(std::move(panel));
    lines.push_back(std::move(line));
  }
  check(!lines.empty(), "[show-data] no image of", dataset.name(), "can be shown");
  return lay_out(lines, {});
}

}  // namespace ditto::apps
