#include "data/penn_fudan.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "core/file.h"
#include "data/image.h"
#include "data/image_files.h"

namespace ditto::data {
namespace {

namespace fs = std::filesystem;

constexpr double kNotable = 3, kWrong = 10;  // pixels between annotated and real sides of a box
constexpr int64_t kMostText = 1 << 20;

// Throws unless the path, links followed, is a file below `root` (canonical).
void check_inside(const fs::path& path, const fs::path& root) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) fail("[file] cannot open", printable(path.string()) + ":", error.message());
  const fs::path relative = real.lexically_relative(root);
  check(!relative.empty() && *relative.begin() != "..",
        "[annotations] a link leads out of the data set:", printable(path.string()));
}

std::string read_text(const fs::path& path) {
  const InputFile file(path);
  check(file.size() <= kMostText, "[annotations] file too large:", printable(path.string()), "has",
        file.size(), "bytes, the limit is", kMostText);
  std::string text(static_cast<size_t>(file.size()), '\0');
  file.read(0, text.data(), file.size());
  return text;
}

double largest_difference(const Rect& a, const Rect& b) {
  return std::max({std::fabs(a.x0 - b.x0), std::fabs(a.y0 - b.y0), std::fabs(a.x1 - b.x1),
                   std::fabs(a.y1 - b.y1)});
}

// Leaves the objects that both mask and text know.
void compare(Instances& instances, const PennFudanText& text, const std::string& text_name,
             const std::string& mask_name, Problems& problems, std::vector<std::string>& warnings) {
  std::vector<uint8_t> in_mask(256);
  Instances kept;
  for (size_t i = 0; i < instances.size(); ++i) {
    const int64_t number = instances.ids[i].annotation;
    const auto object = std::ranges::find(text.objects, number, &PennFudanObject::number);
    in_mask[static_cast<size_t>(number)] = 1;
    if (object == text.objects.end()) {
      problems.add(mask_name, "the mask has an object " + std::to_string(number) +
                                  " that the annotation does not have");
      continue;
    }
    const double difference = largest_difference(object->box, instances.boxes[i]);
    const std::string line = "the box of object " + std::to_string(number) +
                             " differs from its mask by " +
                             std::to_string(std::lround(difference)) + " pixels";
    const std::string where = text_name + ":" + std::to_string(object->line);
    if (difference > kWrong)
      problems.add(where, line);
    else if (difference > kNotable)
      warnings.push_back(where + ": " + line);
    kept.append(instances, i);
  }
  for (const PennFudanObject& object : text.objects)
    if (!in_mask[static_cast<size_t>(object.number)])
      problems.add(mask_name, "the mask of object " + std::to_string(object.number) + " is empty");
  instances = std::move(kept);
}

AnnotatedImage read_annotation(const fs::path& root, const std::string& stem, int64_t id,
                               Problems& problems, std::vector<std::string>& warnings) {
  const fs::path text_path = root / "Annotation" / (stem + ".txt");
  const fs::path mask_path = root / "PedMasks" / (stem + "_mask.png");
  const std::string text_name = printable(text_path.string());
  const std::string mask_name = printable(mask_path.string());
  check_inside(text_path, root);
  check_inside(mask_path, root);
  const PennFudanText text = parse_penn_fudan(read_text(text_path), text_name, stem, problems);
  const Tensor mask = read_label_map(mask_path);
  if (mask.dim(1) != text.width || mask.dim(0) != text.height)
    fail("[annotations] " + mask_name + ": the mask has", mask.dim(1), "x", mask.dim(0),
         "pixels, the annotation says", text.width, "x", text.height);
  AnnotatedImage image{stem, static_cast<int>(text.width), static_cast<int>(text.height),
                       instances_of_map(mask, id, 1)};
  compare(image.instances, text, text_name, mask_name, problems, warnings);
  return image;
}

// Files in `folder` whose names are STEM + ending with no photograph of that name are problems: a
// photograph is lost, or its name is wrong. Other files are warnings.
void find_strays(const fs::path& folder, const std::string& ending,
                 const std::set<std::string>& stems, Problems& problems,
                 std::vector<std::string>& warnings) {
  std::error_code error;
  std::set<std::string> names;
  for (fs::directory_iterator walk(folder, error); !error && walk != fs::directory_iterator();
       walk.increment(error))
    names.insert(walk->path().filename().native());
  for (const std::string& name : names) {
    if (name.starts_with('.')) continue;  // as among the photographs
    const std::string path = printable((folder / name).string());
    if (!name.ends_with(ending))
      warnings.push_back(path + ": ignored, not a name that ends in " + ending);
    else if (!stems.contains(name.substr(0, name.size() - ending.size())))
      problems.add(path, "there is no photograph for it in PNGImages");
  }
}

}  // namespace

std::optional<fs::path> locate_penn_fudan(const fs::path& root) {
  std::error_code ignored;
  std::vector<fs::path> candidates;
  if (!root.empty()) {
    candidates = {root, root / "PennFudanPed"};
  } else if (const char* environment = std::getenv("DITTO_DATA")) {
    candidates = {fs::path(environment), fs::path(environment) / "PennFudanPed"};
  }
  for (const fs::path& folder : candidates)
    if (fs::is_directory(folder / "PNGImages", ignored)) return folder;
  return std::nullopt;
}

InstanceDataset load_penn_fudan(const fs::path& root, const PennFudanOptions& options) {
  const std::optional<fs::path> folder = locate_penn_fudan(root);
  if (!folder)
    fail("[penn_fudan] no folder PNGImages in", printable(root.string()),
         "or its sub-folder PennFudanPed; download "
         "https://www.cis.upenn.edu/~jshi/ped_html/PennFudanPed.zip and unpack it");
  check(options.on_bad_image != OnBadImage::Zero,
        "[penn_fudan] on_bad_image is error or skip: a black picture has no pedestrians");
  const fs::path canonical = fs::canonical(*folder);
  Problems problems(!options.lenient);
  std::vector<std::string> warnings;
  std::vector<fs::path> files;
  std::vector<AnnotatedImage> images;
  std::vector<ImageSize> sizes;
  std::set<std::string> stems;
  int64_t id = 0;  // also counts what is left out: ids stay the same
  for (const fs::path& path : list_images(canonical / "PNGImages", &warnings)) {
    ++id;
    const std::string stem = path.stem().string();
    if (!stems.insert(stem).second) {
      problems.add(printable(path.string()), "left out: a second photograph of this name");
      continue;
    }
    try {
      images.push_back(read_annotation(canonical, stem, id, problems, warnings));
    } catch (const Error& error) {
      if (!options.lenient) throw;
      problems.add(printable(path.string()), std::string("left out: ") + error.what());
      continue;
    }
    files.push_back(path);
    sizes.push_back({images.back().width, images.back().height});
  }
  find_strays(canonical / "PedMasks", "_mask.png", stems, problems, warnings);
  find_strays(canonical / "Annotation", ".txt", stems, problems, warnings);
  std::string all;
  for (const std::string& line : problems.list()) all += "\n  " + line;
  check(!images.empty(), "[penn_fudan] no images in",
        printable((canonical / "PNGImages").string()) + all);
  InstanceDataset dataset(
      "penn-fudan",
      std::make_shared<ImageFiles>(std::move(files), canonical, options.on_bad_image, options.cache,
                                   std::move(sizes)),
      std::move(images), {"pedestrian"}, options.statistics);
  for (const std::string& line : problems.list()) dataset.add_problem(line);
  for (std::string& line : warnings) dataset.add_warning(std::move(line));
  return dataset;
}

}  // namespace ditto::data
