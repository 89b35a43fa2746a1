#include "apps/data_tools/check_data.h"

#include <fmt/format.h>

#include <map>

#include "core/sha256.h"

namespace ditto::apps {
namespace {

bool one_colour(const Tensor& image) {
  const uint8_t* pixels = image.data<uint8_t>();
  const int64_t channels = image.dim(2);
  for (int64_t i = channels; i < image.numel(); ++i)
    if (pixels[i] != pixels[i % channels]) return false;
  return true;
}

std::string digest(const Tensor& image) {
  return sha256({reinterpret_cast<const char*>(image.data<uint8_t>()),
                 static_cast<size_t>(image.numel())}) +
         to_string(image.shape());
}

// Pictures by their pixels.
class Seen {
 public:
  void add(const Tensor& image, const std::string& name, std::vector<std::string>& remarks) {
    if (one_colour(image)) {
      remarks.push_back(name + ": a picture of one colour");
      return;
    }
    const auto [entry, is_new] = names_.try_emplace(digest(image), name);
    if (!is_new) remarks.push_back(name + ": the same picture as " + entry->second);
  }

 private:
  std::map<std::string, std::string> names_;
};

void look_at(const data::ImageDataset& dataset, const std::string& name, Seen& seen,
             DataFindings& findings) {
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::string image_name = fmt::format("{} image {}", name, i);
    try {
      const Tensor image = dataset.image(i);
      if (image.defined()) seen.add(image, image_name, findings.remarks);
    } catch (const Error& error) {
      findings.problems.push_back(image_name + ": " + error.what());
    }
  }
  // What a reader that leaves bad images out has noted instead.
  for (const std::string& bad : dataset.bad_images()) findings.problems.push_back(bad);
  std::vector<int64_t> count(static_cast<size_t>(dataset.classes()));
  for (const int64_t label : dataset.labels().to_vector<int64_t>())
    ++count[static_cast<size_t>(label)];
  for (size_t k = 0; k < count.size(); ++k)
    if (count[k] == 0)
      findings.problems.push_back(
          fmt::format("{}: class {} has no images", name, dataset.class_names()[k]));
  for (const std::string& warning : dataset.warnings()) findings.remarks.push_back(warning);
  findings.images += dataset.size();
}

}  // namespace

DataFindings check_images(const data::ImageDataset& train, const data::ImageDataset& test) {
  DataFindings findings;
  Seen seen;
  look_at(train, "train", seen, findings);
  look_at(test, "test", seen, findings);
  return findings;
}

DataFindings check_instances_of(const data::InstanceDataset& dataset, bool need_objects) {
  DataFindings findings;
  findings.problems = dataset.problems();
  findings.remarks = dataset.warnings();
  Seen seen;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const data::AnnotatedImage& annotated = dataset.annotated(i);
    const std::string name = printable(annotated.name);
    const data::Instances& objects = annotated.instances;
    ++findings.images;
    findings.objects += static_cast<int64_t>(objects.size());
    try {
      const Tensor image = dataset.image(i);
      if (image.defined()) seen.add(image, name, findings.remarks);
    } catch (const Error& error) {
      findings.problems.push_back(name + ": " + error.what());
    }
    if (need_objects && objects.objects() == 0) findings.problems.push_back(name + ": no objects");
    for (size_t k = 0; k < objects.size(); ++k) {
      const std::string object = fmt::format("{}: object {}", name, objects.ids[k].annotation);
      const Rect& box = objects.boxes[k];
      if (box.x1 - box.x0 < 2 || box.y1 - box.y0 < 2)
        findings.problems.push_back(fmt::format("{} has a box of {:g} x {:g} pixels", object,
                                                box.x1 - box.x0, box.y1 - box.y0));
      if (objects.masks.empty()) continue;
      const Rle& mask = objects.masks[k];
      if (mask.area() < 16)
        findings.problems.push_back(fmt::format("{} has a mask of {} pixels", object, mask.area()));
      const Rect tight = mask.box();
      if (tight.x0 < box.x0 || tight.y0 < box.y0 || tight.x1 > box.x1 || tight.y1 > box.y1)
        findings.problems.push_back(object + " has a mask outside its box");
      for (size_t other = 0; other < k; ++other)
        if (iou(mask, objects.masks[other]) > 0.95)
          findings.remarks.push_back(fmt::format("{} is almost the same as object {}", object,
                                                 objects.ids[other].annotation));
    }
  }
  for (const std::string& bad : dataset.bad_images()) findings.problems.push_back(bad);
  return findings;
}

std::string findings_text(const DataFindings& findings) {
  std::string text;
  for (const std::string& line : findings.problems) text += "problem: " + line + "\n";
  for (const std::string& line : findings.remarks) text += "remark: " + line + "\n";
  text += fmt::format("{} images", findings.images);
  if (findings.objects > 0) text += fmt::format(", {} objects", findings.objects);
  return text + fmt::format(": {} problems, {} remarks\n", findings.problems.size(),
                            findings.remarks.size());
}

}  // namespace ditto::apps
