// The annotation texts of Penn-Fudan.
#include <charconv>
#include <limits>

#include "data/penn_fudan.h"

namespace ditto::data {
namespace {

constexpr size_t kMostText = 1 << 20, kMostLine = 4096;
constexpr int64_t kMostObjects = 255;  // the masks have eight bits
constexpr int64_t kMostSide = 16384;

// What is left of a line. Spaces between words may be many or none.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}

  bool take(std::string_view word) {
    skip();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  // Digits only: no sign, no fraction, no decimal comma.
  bool take_number(int64_t& value) {
    skip();
    if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') return false;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return true;
  }
  bool take_quoted(std::string_view& text) {
    if (!take("\"")) return false;
    const size_t end = rest_.find('"');
    if (end == std::string_view::npos) return false;
    text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }
  bool at_end() {
    skip();
    return rest_.empty();
  }

 private:
  void skip() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }
  std::string_view rest_;
};

class Reader {
 public:
  Reader(const std::string& name, std::string_view stem, Problems& problems)
      : name_(name), stem_(stem), problems_(problems) {}

  PennFudanText run(std::string_view text) {
    if (text.size() > kMostText)
      fail("[annotations] " + name_ + ": text of", text.size(), "bytes, the limit is", kMostText);
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    while (!text.empty()) {
      ++number_;
      const size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (line.size() > kMostLine)
        fail("[annotations] " + here() + ": line of", line.size(), "bytes, the limit is",
             kMostLine);
      if (line.ends_with('\r')) line.remove_suffix(1);
      read(line);
    }
    if (out_.width == 0) fail("[annotations] " + name_ + ": no 'Image size' line");
    if (!counted_) problems_.add(name_, "no 'Objects with ground truth' line");
    finish();
    return std::move(out_);
  }

 private:
  std::string here() const { return name_ + ":" + std::to_string(number_); }
  void problem(const std::string& what) { problems_.add(here(), what); }

  void read(std::string_view line) {
    Words words(line);
    std::string_view quoted;
    if (words.take("#") || words.at_end() || words.take("Image filename") ||
        words.take("Database") || words.take("Original label"))
      return;
    if (words.take("Image size")) return read_size(words);
    if (words.take("Objects with ground truth")) return read_count(words);
    if (words.take("Bounding box for object")) return read_box(words);
    if (words.take("Pixel mask for object")) return read_mask(words);
    problem("unknown line: " + printable(line));
  }

  void read_size(Words words) {
    int64_t width = 0, height = 0, channels = 0;
    const bool ok = words.take("(X x Y x C)") && words.take(":") && words.take_number(width) &&
                    words.take("x") && words.take_number(height) && words.take("x") &&
                    words.take_number(channels) && words.at_end();
    if (!ok || width < 1 || height < 1 || width > kMostSide || height > kMostSide ||
        (out_.width > 0 && (out_.width != width || out_.height != height)))
      fail("[annotations] " + here() + ": not a size, or a second one");
    out_.width = width, out_.height = height;
  }

  void read_count(Words words) {
    int64_t count = 0;
    if (!words.take(":") || !words.take_number(count) || count > kMostObjects || counted_)
      return problem("not a number of objects of at most " + std::to_string(kMostObjects));
    out_.announced = count;
    counted_ = true;
  }

  // The number and name of an object.
  bool read_object(Words& words, int64_t& object) {
    std::string_view label;
    if (!words.take_number(object) || object < 1 || object > kMostObjects ||
        !words.take_quoted(label)) {
      problem("not an object and its name");
      return false;
    }
    if (!label.starts_with("PASperson")) {
      problem("unknown kind of object: " + printable(label));
      return false;
    }
    return true;
  }

  void read_box(Words words) {
    int64_t object = 0, left = 0, top = 0, right = 0, bottom = 0;
    if (!read_object(words, object)) return;
    const bool ok = words.take("(Xmin, Ymin) - (Xmax, Ymax)") && words.take(":") &&
                    words.take("(") && words.take_number(left) && words.take(",") &&
                    words.take_number(top) && words.take(")") && words.take("-") &&
                    words.take("(") && words.take_number(right) && words.take(",") &&
                    words.take_number(bottom) && words.take(")") && words.at_end();
    if (!ok) return problem("not a box of four whole numbers");
    for (const PennFudanObject& other : out_.objects)
      if (other.number == object)
        return problem("object " + std::to_string(object) + " has two boxes");
    // The text counts pixels from 1; a box holds its last pixel.
    out_.objects.push_back(
        {object, {double(left) - 1, double(top) - 1, double(right), double(bottom)}, number_});
  }

  // Masks are found by the image's name: the path in the text is only compared.
  void read_mask(Words words) {
    int64_t object = 0;
    std::string_view path;
    if (!read_object(words, object)) return;
    if (!words.take(":") || !words.take_quoted(path) || !words.at_end())
      return problem("not a path in quotes");
    const size_t slash = path.rfind('/');
    const std::string_view file = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (path.starts_with('/') || path.find("..") != std::string_view::npos ||
        file != std::string(stem_) + "_mask.png")
      problem("not the mask of this image: " + printable(path));
  }

  // What needs the size of the image, which may come late.
  void finish() {
    std::erase_if(out_.objects, [&](const PennFudanObject& object) {
      const Rect& box = object.box;
      const bool inside = box.x0 >= 0 && box.y0 >= 0 && box.x1 <= double(out_.width) &&
                          box.y1 <= double(out_.height);
      if (inside && box.x0 < box.x1 && box.y0 < box.y1) return false;
      problems_.add(name_ + ":" + std::to_string(object.line),
                    "the box of object " + std::to_string(object.number) +
                        (inside ? " is empty" : " is not inside the image"));
      return true;
    });
    if (counted_ && out_.announced != static_cast<int64_t>(out_.objects.size()))
      problems_.add(name_, std::to_string(out_.announced) + " objects announced, " +
                               std::to_string(out_.objects.size()) + " boxes");
  }

  const std::string& name_;
  std::string_view stem_;
  Problems& problems_;
  PennFudanText out_;
  int64_t number_ = 0;  // of the line
  bool counted_ = false;
};

}  // namespace

PennFudanText parse_penn_fudan(std::string_view text, const std::string& name,
                               std::string_view stem, Problems& problems) {
  return Reader(name, stem, problems).run(text);
}

}  // namespace ditto::data
