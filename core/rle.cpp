#include "core/rle.h"

#include <algorithm>
#include <limits>

namespace ditto {
namespace {

// Appends runs of either value, merging those that meet.
class Runs {
 public:
  void add(bool set, int64_t length) {
    if (length == 0) return;
    if (counts_.empty() && set) counts_.push_back(0);
    const bool last_is_set = counts_.size() % 2 == 0;
    if (!counts_.empty() && last_is_set == set)
      counts_.back() += static_cast<uint32_t>(length);
    else
      counts_.push_back(static_cast<uint32_t>(length));
  }
  std::vector<uint32_t> take() { return std::move(counts_); }

 private:
  std::vector<uint32_t> counts_;
};

void check_size(int height, int width) {
  check(height >= 0 && width >= 0 && int64_t{height} * width <= std::numeric_limits<int32_t>::max(),
        "[rle] a mask must have fewer than 2^31 pixels, got height", height, "width", width);
}

void check_same_size(const Rle& a, const Rle& b) {
  check(a.height == b.height && a.width == b.width, "[rle] masks of different sizes: height",
        a.height, "width", a.width, "and height", b.height, "width", b.width);
}

// Walks over the stretches on which neither mask changes: f(set in a, set in b, length).
template <class F>
void walk(const Rle& a, const Rle& b, F&& f) {
  check_same_size(a, b);
  size_t i = 0, j = 0;
  uint32_t left_a = 0, left_b = 0;
  const int64_t pixels = int64_t{a.height} * a.width;
  for (int64_t at = 0; at < pixels;) {
    while (left_a == 0) left_a = a.counts[i++];
    while (left_b == 0) left_b = b.counts[j++];
    const uint32_t step = std::min(left_a, left_b);
    f(i % 2 == 0, j % 2 == 0, step);
    left_a -= step, left_b -= step, at += step;
  }
}

template <class F>
Rle combine(const Rle& a, const Rle& b, F&& keep) {
  Runs runs;
  walk(a, b, [&](bool in_a, bool in_b, int64_t length) { runs.add(keep(in_a, in_b), length); });
  return Rle(a.height, a.width, runs.take());
}

}  // namespace

Rle::Rle(int height, int width, std::vector<uint32_t> runs) : height(height), width(width) {
  check_size(height, width);
  const uint64_t pixels = static_cast<uint64_t>(height) * static_cast<uint64_t>(width);
  uint64_t sum = 0;
  bool canonical = true;
  for (size_t i = 0; i < runs.size(); ++i) {
    sum += runs[i];  // at most 2^32 counts of less than 2^32: no overflow
    canonical = canonical && (i == 0 || runs[i] != 0);
  }
  check(sum == pixels, "[rle] the counts sum to", sum, "but the mask has", pixels, "pixels: height",
        height, "width", width);
  if (canonical && pixels > 0) {
    counts = std::move(runs);
    return;
  }
  Runs merged;
  for (size_t i = 0; i < runs.size(); ++i) merged.add(i % 2 == 1, runs[i]);
  counts = merged.take();
}

Rle::Rle(int height, int width) : height(height), width(width) {
  check_size(height, width);
  if (height > 0 && width > 0)
    counts.push_back(static_cast<uint32_t>(height) * static_cast<uint32_t>(width));
}

Rle Rle::encode(std::span<const uint8_t> mask, int height, int width) {
  check_size(height, width);
  check(static_cast<int64_t>(mask.size()) == int64_t{height} * width, "[rle] got", mask.size(),
        "bytes for height", height, "width", width);
  if (mask.empty()) return Rle(height, width);
  Runs runs;
  for (int x = 0; x < width; ++x) {
    const uint8_t* at = mask.data() + x;
    for (int y = 0; y < height;) {
      const int start = y;
      const bool set = at[int64_t{y} * width] != 0;
      do ++y;
      while (y < height && (at[int64_t{y} * width] != 0) == set);
      runs.add(set, y - start);
    }
  }
  return Rle(height, width, runs.take());
}

Rle Rle::rectangle(const Rect& box, int height, int width) {
  check_size(height, width);
  const auto edge = [](double at, int size) {  // the first pixel whose centre is not before `at`
    return static_cast<int>(std::clamp(std::ceil(at - 0.5), 0.0, double(size)));
  };
  check(!std::isnan(box.x0) && !std::isnan(box.x1) && !std::isnan(box.y0) && !std::isnan(box.y1),
        "[rle] box with NaN");
  const int top = edge(box.y0, height), bottom = edge(box.y1, height);
  std::vector<ColumnRun> runs;
  if (top < bottom)
    for (int x = edge(box.x0, width); x < edge(box.x1, width); ++x)
      runs.push_back({x, top, bottom});
  return from_runs(runs, height, width);
}

Rle Rle::from_runs(std::span<const ColumnRun> column_runs, int height, int width) {
  check_size(height, width);
  Runs runs;
  int64_t at = 0;
  for (const ColumnRun& run : column_runs) {
    const int64_t start = int64_t{run.column} * height + run.top;
    check(run.column >= 0 && run.column < width && run.top >= 0 && run.top <= run.bottom &&
              run.bottom <= height && start >= at,
          "[rle] run out of order or outside: column", run.column, "rows", run.top, "to",
          run.bottom);
    runs.add(false, start - at);
    runs.add(true, run.bottom - run.top);
    at = start + run.bottom - run.top;
  }
  runs.add(false, int64_t{height} * width - at);
  return Rle(height, width, runs.take());
}

// Five bits a character from the low end, 32: more follow; the last one's bit 16 is the sign. From
// the fourth count on it is the difference to the count two before it.
Rle Rle::parse(std::string_view text, int height, int width) {
  check_size(height, width);
  std::vector<uint32_t> counts;
  for (size_t i = 0; i < text.size();) {
    int64_t value = 0;
    int shift = 0;
    bool more = true;
    while (more) {
      check(i < text.size(), "[rle] the string ends inside a count, at", i);
      const int c = static_cast<unsigned char>(text[i]) - 48;
      check(c >= 0 && c < 64, "[rle] bad character in the string, at", i);
      check(shift < 35, "[rle] a count of more than 32 bits in the string, at", i);
      value |= int64_t{c & 31} << shift;
      shift += 5, ++i;
      more = (c & 32) != 0;
      if (!more && (c & 16) != 0) value |= -(int64_t{1} << shift);
    }
    if (counts.size() > 2) value += counts[counts.size() - 2];
    check(value >= 0 && value <= std::numeric_limits<int32_t>::max(),
          "[rle] a count out of range in the string:", value);
    counts.push_back(static_cast<uint32_t>(value));
  }
  return Rle(height, width, std::move(counts));
}

std::string Rle::text() const {
  std::string out;
  for (size_t i = 0; i < counts.size(); ++i) {
    int64_t value = counts[i];
    if (i > 2) value -= counts[i - 2];
    for (bool more = true; more;) {
      int64_t c = value & 31;
      value >>= 5;
      more = (c & 16) != 0 ? value != -1 : value != 0;
      if (more) c |= 32;
      out.push_back(static_cast<char>(c + 48));
    }
  }
  return out;
}

std::vector<ColumnRun> Rle::runs() const {
  std::vector<ColumnRun> out;
  int64_t at = 0;
  for (size_t i = 0; i < counts.size(); at += counts[i], ++i) {
    if (i % 2 == 0) continue;
    for (int64_t from = at, end = at + counts[i]; from < end;) {
      const auto column = static_cast<int>(from / height);
      const int64_t next = std::min<int64_t>(end, int64_t{column + 1} * height);
      const int64_t base = int64_t{column} * height;
      out.push_back({column, static_cast<int>(from - base), static_cast<int>(next - base)});
      from = next;
    }
  }
  return out;
}

std::vector<uint8_t> Rle::decode() const {
  std::vector<uint8_t> out(static_cast<size_t>(height) * static_cast<size_t>(width));
  for (const ColumnRun& run : runs())
    for (int y = run.top; y < run.bottom; ++y)
      out[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(run.column)] =
          1;
  return out;
}

int64_t Rle::area() const {
  int64_t sum = 0;
  for (size_t i = 1; i < counts.size(); i += 2) sum += counts[i];
  return sum;
}

Rect Rle::box() const {
  const std::vector<ColumnRun> set = runs();
  if (set.empty()) return {};
  int top = height, bottom = 0;
  for (const ColumnRun& run : set)
    top = std::min(top, run.top), bottom = std::max(bottom, run.bottom);
  return {double(set.front().column), double(top), double(set.back().column + 1), double(bottom)};
}

Rle Rle::flipped_columns() const {
  std::vector<ColumnRun> out = runs();
  for (ColumnRun& run : out) run.column = width - 1 - run.column;
  std::stable_sort(out.begin(), out.end(), [](const ColumnRun& a, const ColumnRun& b) {
    return a.column != b.column ? a.column < b.column : a.top < b.top;
  });
  return from_runs(out, height, width);
}

Rle Rle::flipped_rows() const {
  // All runs backwards are a turn by half a circle; mirrored left-right it is upside down.
  Runs turned;
  for (size_t i = counts.size(); i-- > 0;) turned.add(i % 2 == 1, counts[i]);
  return Rle(height, width, turned.take()).flipped_columns();
}

Rle Rle::window(int x, int y, int new_width, int new_height) const {
  check_size(new_height, new_width);
  std::vector<ColumnRun> out;
  for (const ColumnRun& run : runs()) {
    const int64_t column = int64_t{run.column} - x;
    const int64_t top = std::clamp<int64_t>(int64_t{run.top} - y, 0, new_height);
    const int64_t bottom = std::clamp<int64_t>(int64_t{run.bottom} - y, 0, new_height);
    if (column < 0 || column >= new_width || top >= bottom) continue;
    out.push_back({static_cast<int>(column), static_cast<int>(top), static_cast<int>(bottom)});
  }
  return from_runs(out, new_height, new_width);
}

Rle operator|(const Rle& a, const Rle& b) {
  return combine(a, b, [](bool x, bool y) { return x || y; });
}
Rle operator&(const Rle& a, const Rle& b) {
  return combine(a, b, [](bool x, bool y) { return x && y; });
}
Rle operator-(const Rle& a, const Rle& b) {
  return combine(a, b, [](bool x, bool y) { return x && !y; });
}

int64_t intersection_area(const Rle& a, const Rle& b) {
  int64_t sum = 0;
  walk(a, b, [&](bool in_a, bool in_b, int64_t length) { sum += in_a && in_b ? length : 0; });
  return sum;
}

double iou(const Rle& a, const Rle& b, bool crowd) {
  const int64_t both = intersection_area(a, b), area = a.area();
  const int64_t whole = crowd ? area : area + b.area() - both;
  return whole == 0 ? 0.0 : static_cast<double>(both) / static_cast<double>(whole);
}

}  // namespace ditto
