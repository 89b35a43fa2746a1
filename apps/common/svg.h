// SvgWriter: puts an SVG 1.1 picture together from lines, text and shapes. Text is escaped and
// numbers are checked to be finite, so the result is always well-formed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ditto::apps {

struct Point {
  double x = 0, y = 0;
};

// At most two decimals: "12.5". Throws Error when the value is not finite.
std::string svg_number(double value);

class SvgWriter {
 public:
  // A picture of width x height units with its own white background, so that it looks the same on
  // light and dark pages. `title` is what screen readers say.
  SvgWriter(double width, double height, std::string_view title);

  // `attributes` is trusted text such as `stroke="#000" stroke-width="2"`.
  void line(Point from, Point to, std::string_view attributes);
  // `tooltip` is shown by browsers under the pointer; "" for none.
  void rect(Point corner, double width, double height, std::string_view attributes,
            std::string_view tooltip = "");
  void polyline(const std::vector<Point>& points, std::string_view attributes);
  void circle(Point centre, double radius, std::string_view attributes,
              std::string_view tooltip = "");
  // A picture by its data URI, every pixel a sharp square.
  void image(Point corner, double width, double height, std::string_view data_uri,
             std::string_view tooltip = "");
  void text(Point at, std::string_view text, std::string_view attributes);
  // What is drawn until end_clip() is cut off outside the rectangle; coordinates stay the same.
  void begin_clip(Point corner, double width, double height);
  void end_clip();

  // The complete file.
  std::string finish() &&;

 private:
  std::string out_;
};

}  // namespace ditto::apps
