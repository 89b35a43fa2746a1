#include "apps/common/svg.h"

#include <fmt/format.h>

#include <cmath>

#include "apps/common/text.h"
#include "core/error.h"

namespace ditto::apps {
namespace {

// The end of an element that holds nothing but, perhaps, a tooltip.
std::string end_of(const char* element, std::string_view tooltip) {
  if (tooltip.empty()) return "/>\n";
  return fmt::format("><title>{}</title></{}>\n", escape_markup(tooltip), element);
}

}  // namespace

std::string svg_number(double value) {
  check(std::isfinite(value), "[svg] a coordinate is not finite:", value);
  std::string text = fmt::format("{:.2f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

SvgWriter::SvgWriter(double width, double height, std::string_view title) {
  const std::string w = svg_number(width), h = svg_number(height);
  out_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" font-family=\"system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', "
      "sans-serif\" font-size=\"12\">\n<title>{2}</title>\n",
      w, h, escape_markup(title));
  rect({0, 0}, width, height, "fill=\"#fff\"");
}

void SvgWriter::line(Point from, Point to, std::string_view attributes) {
  out_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {}/>\n", svg_number(from.x),
                      svg_number(from.y), svg_number(to.x), svg_number(to.y), attributes);
}

void SvgWriter::rect(Point corner, double width, double height, std::string_view attributes,
                     std::string_view tooltip) {
  out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}{}",
                      svg_number(corner.x), svg_number(corner.y), svg_number(width),
                      svg_number(height), attributes, end_of("rect", tooltip));
}

void SvgWriter::polyline(const std::vector<Point>& points, std::string_view attributes) {
  out_ += "<polyline fill=\"none\" points=\"";
  for (size_t i = 0; i < points.size(); ++i)
    out_ +=
        fmt::format("{}{},{}", i > 0 ? " " : "", svg_number(points[i].x), svg_number(points[i].y));
  out_ += fmt::format("\" {}/>\n", attributes);
}

void SvgWriter::circle(Point centre, double radius, std::string_view attributes,
                       std::string_view tooltip) {
  out_ +=
      fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {}{}", svg_number(centre.x),
                  svg_number(centre.y), svg_number(radius), attributes, end_of("circle", tooltip));
}

void SvgWriter::image(Point corner, double width, double height, std::string_view data_uri,
                      std::string_view tooltip) {
  out_ += fmt::format(
      "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" "
      "style=\"image-rendering:pixelated\" href=\"{}\"{}",
      svg_number(corner.x), svg_number(corner.y), svg_number(width), svg_number(height),
      escape_markup(data_uri), end_of("image", tooltip));
}

void SvgWriter::text(Point at, std::string_view text, std::string_view attributes) {
  out_ += fmt::format("<text x=\"{}\" y=\"{}\" {}>{}</text>\n", svg_number(at.x), svg_number(at.y),
                      attributes, escape_markup(text));
}

void SvgWriter::begin_clip(Point corner, double width, double height) {
  // A nested svg clips by itself. A clipPath would need an id, and ids of several pictures on one
  // page clash.
  const std::string x = svg_number(corner.x), y = svg_number(corner.y), w = svg_number(width),
                    h = svg_number(height);
  out_ += fmt::format(
      "<svg x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">\n", x, y,
      w, h);
}

void SvgWriter::end_clip() { out_ += "</svg>\n"; }

std::string SvgWriter::finish() && {
  out_ += "</svg>\n";
  return std::move(out_);
}

}  // namespace ditto::apps
