#include "kernels/footprint.h"

namespace ditto::kernels {
namespace {

// Samples along one principal axis that covers `extent` source pixels: how many to one side with
// the middle one, and their distance h. A triangle of n samples has the variance h^2 (n^2 - 1) / 6,
// that of bilinear interpolation is 1 / 6 and of a triangle of radius s it is s^2 / 6.
int32_t samples(double extent, double& distance) {
  distance = 0;
  if (!(extent > 1 + 1e-6)) return 1;
  const double n = std::ceil(extent - 1e-9);
  distance = std::sqrt((extent * extent - 1) / (n * n - 1));
  return static_cast<int32_t>(n);
}

Rect shrunk(const Rect& r, double x, double y) {
  x *= 1 + 1e-5, y *= 1 + 1e-5;  // roundings in float
  return {r.x0 + x, r.y0 + y, r.x1 - x, r.y1 - y};
}

}  // namespace

Footprint::Footprint(const AugmentRow& row, Size in, std::vector<FootprintWindow>& windows)
    : area(pixel_area(row.area, in)), average(row.average) {
  count[0] = count[1] = 1;
  if (average) {
    // J, the linear part of the map, takes an output pixel to its footprint; J J^T has the
    // principal axes. A footprint wider than the image averages all of it, however wide.
    Affine m = row.inverse;
    const double most = std::max(std::max(std::fabs(m.a), std::fabs(m.b)),
                                 std::max(std::fabs(m.d), std::fabs(m.e)));
    const double limit = static_cast<double>(in.width + in.height);
    if (most > limit)
      for (double* entry : {&m.a, &m.b, &m.d, &m.e}) *entry *= limit / most;
    const double xx = m.a * m.a + m.b * m.b, yy = m.d * m.d + m.e * m.e;
    const double xy = m.a * m.d + m.b * m.e;
    // Equal extents have no axes: then the source's, instead of what roundings would choose.
    const double angle = std::fabs(xy) > 1e-6 * (xx + yy) ? 0.5 * std::atan2(2 * xy, xx - yy) : 0.0;
    const double c = std::cos(angle), s = std::sin(angle);
    const auto extent = [&](double x, double y) {
      return std::sqrt(std::max(0.0, x * x * xx + 2 * x * y * xy + y * y * yy));
    };
    double distance = 0;
    count[0] = samples(extent(c, s), distance);
    first_x = static_cast<float>(c * distance), first_y = static_cast<float>(s * distance);
    count[1] = samples(extent(-s, c), distance);
    second_x = static_cast<float>(-s * distance), second_y = static_cast<float>(c * distance);
  }
  // How far a footprint reaches, with the neighbours of bilinear interpolation.
  const auto reach = [&](float along_first, float along_second) {
    return (count[0] - 1) * std::fabs(double{along_first}) +
           (count[1] - 1) * std::fabs(double{along_second}) + 1;
  };
  const double reach_x = reach(first_x, second_x), reach_y = reach(first_y, second_y);
  inner = shrunk({static_cast<double>(area.columns.begin), static_cast<double>(area.lines.begin),
                  static_cast<double>(area.columns.end), static_cast<double>(area.lines.end)},
                 reach_x, reach_y);
  const auto add = [&](const Window& window) {
    const Affine& m = window.to_rect;
    windows.push_back(
        {window, shrunk(window.rect, std::fabs(m.a) * reach_x + std::fabs(m.b) * reach_y,
                        std::fabs(m.d) * reach_x + std::fabs(m.e) * reach_y)});
  };
  begin = static_cast<int32_t>(windows.size());
  // An averaged pixel takes nothing from beyond the clip either.
  const double det = row.inverse.determinant();
  if (average && row.clip != kEverywhere && std::isfinite(det) && std::fabs(det) > 1e-12)
    add({row.inverse.inverse(), row.clip});
  shown = static_cast<int32_t>(windows.size());
  for (const Window& window : row.windows) add(window);
  end = static_cast<int32_t>(windows.size());
}

}  // namespace ditto::kernels
