// InstanceDataset: images with annotated objects. Annotations lie in memory (a mask takes a few
// hundred bytes as run lengths); pixels come from a reader when they are needed.
//
// Copies are cheap handles. Nothing changes after loading, so any number of threads may read.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/instances.h"

namespace ditto::data {

struct AnnotatedImage {
  std::string name;  // file name without extension
  int width = 0, height = 0;
  Instances instances;  // in the image's own frame; labels from 1 (0 is the background)
};

// What is wrong with annotations: an error at once (strict), or a list (lenient). Every entry
// begins with the file, and with the line where there is one.
class Problems {
 public:
  explicit Problems(bool strict) : strict_(strict) {}
  // Throws Error "[annotations] where: what" when strict.
  void add(const std::string& where, const std::string& what);
  const std::vector<std::string>& list() const { return list_; }

 private:
  bool strict_;
  std::vector<std::string> list_;
};

class InstanceDataset {
 public:
  InstanceDataset() = default;
  // One entry of `images` for each image of `reader`; class_names[k] is the name of label k + 1.
  // Throws "[dataset] ..." or "[instances] ..." with the image's name when sizes, boxes, masks,
  // labels or ids are not as they should be (check_instances).
  InstanceDataset(std::string name, std::shared_ptr<const ImageReader> reader,
                  std::vector<AnnotatedImage> images, std::vector<std::string> class_names,
                  ChannelStatistics statistics);

  const std::string& name() const { return name_; }
  int64_t size() const { return static_cast<int64_t>(indices_.size()); }
  int64_t channels() const { return static_cast<int64_t>(statistics_.mean.size()); }
  const std::vector<std::string>& class_names() const { return class_names_; }
  int64_t classes() const { return static_cast<int64_t>(class_names_.size()); }
  const ChannelStatistics& statistics() const { return statistics_; }

  const AnnotatedImage& annotated(int64_t index) const;
  const Instances& instances(int64_t index) const { return annotated(index).instances; }
  // (H, W, C) u8; undefined when the image cannot be read and is to be left out. Throws when it has
  // another size than its annotation says (for ImageFiles that knows the sizes, a bad image like
  // others).
  Tensor image(int64_t index) const;
  // What the augmentations need to know; the fill colour is the mean.
  ImageInfo info(int64_t index) const;
  std::vector<std::string> bad_images() const { return reader_->bad_images(); }
  CacheStats cache() const { return reader_->cache(); }
  // SHA-256 of annotations, class names and the reader's fingerprint.
  std::string fingerprint() const;

  // The images with these indices, in this order.
  InstanceDataset select(std::span<const int64_t> indices) const;
  // `test` images chosen by `seed`, or all the others; in their original order.
  InstanceDataset split(Split which, int64_t test, uint64_t seed) const;

  // What was wrong, and left out by a lenient reader, one line each.
  const std::vector<std::string>& problems() const { return problems_; }
  void add_problem(std::string problem) { problems_.push_back(std::move(problem)); }
  // What is unusual, but no reason to leave it out.
  const std::vector<std::string>& warnings() const { return warnings_; }
  void add_warning(std::string warning) { warnings_.push_back(std::move(warning)); }

 private:
  std::string name_;
  std::shared_ptr<const ImageReader> reader_;
  std::shared_ptr<const std::vector<AnnotatedImage>> images_;
  std::vector<int64_t> indices_;  // into images_ and the reader
  std::vector<std::string> class_names_;
  ChannelStatistics statistics_;
  std::vector<std::string> problems_, warnings_;
};

// The objects of a map (H, W) u8 of object numbers, 0 being the background: one per number that
// occurs, with its mask, tight box, `label`, and the id {image, number}.
Instances instances_of_map(const Tensor& map, int64_t image, int64_t label);

}  // namespace ditto::data
