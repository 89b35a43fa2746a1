// A folder in the layout of Penn-Fudan with generated pedestrians.
#pragma once

#include <fstream>

#include "data/instance_dataset.h"
#include "tests/support/image_files.h"

namespace ditto::testing {

// An 8-bit PNG of (H, W, 3), or of grey values (H, W).
inline std::string png_of(const Tensor& image) {
  const int64_t height = image.dim(0), width = image.dim(1);
  const int64_t line = width * (image.rank() == 3 ? 3 : 1);
  std::string rows;
  for (int64_t y = 0; y < height; ++y) {
    rows += '\0';
    rows.append(reinterpret_cast<const char*>(image.data<uint8_t>() + y * line),
                static_cast<size_t>(line));
  }
  std::string file = png_file(static_cast<uint32_t>(width), static_cast<uint32_t>(height), rows);
  if (image.rank() == 3) return file;
  // The same with another colour type in its header, and the checksum for it.
  constexpr size_t kSignature = 8, kChunk = 25;
  const std::string header = big_endian(static_cast<uint32_t>(width)) +
                             big_endian(static_cast<uint32_t>(height)) +
                             std::string("\x08\x00\x00\x00\x00", 5);
  return file.replace(kSignature, kChunk, png_chunk("IHDR", header));
}

inline Tensor object_map(const data::AnnotatedImage& image) {
  const Tensor map = Tensor::zeros({image.height, image.width}, Dtype::U8);
  for (size_t i = 0; i < image.instances.size(); ++i) {
    const std::vector<uint8_t> mask = image.instances.masks[i].decode();
    for (size_t k = 0; k < mask.size(); ++k)
      if (mask[k]) map.data<uint8_t>()[k] = static_cast<uint8_t>(image.instances.ids[i].annotation);
  }
  return map;
}

inline std::string annotation_text(const data::AnnotatedImage& image) {
  const data::Instances& objects = image.instances;
  const auto number = [](double v) { return std::to_string(static_cast<int64_t>(v)); };
  std::string text = "# Compatible with PASCAL Annotation Version 1.00\nImage filename : \"x\"\n";
  text += "Image size (X x Y x C) : " + std::to_string(image.width) + " x " +
          std::to_string(image.height) + " x 3\n";
  text += "Objects with ground truth : " + std::to_string(objects.size()) + " { \"PASperson\" }\n";
  for (size_t i = 0; i < objects.size(); ++i) {
    const std::string object = std::to_string(objects.ids[i].annotation) + " \"PASperson\" ";
    const Rect& box = objects.boxes[i];
    text += "Original label for object " + object + ": \"PennFudanPed\"\n";
    text += "Bounding box for object " + object + "(Xmin, Ymin) - (Xmax, Ymax) : (" +
            number(box.x0 + 1) + ", " + number(box.y0 + 1) + ") - (" + number(box.x1) + ", " +
            number(box.y1) + ")\n";
    text += "Pixel mask for object " + object + ": \"PennFudanPed/PedMasks/" + image.name +
            "_mask.png\"\n\n";
  }
  return text;
}

inline void write_penn_fudan(const std::filesystem::path& folder,
                             const data::InstanceDataset& dataset) {
  for (const char* name : {"PNGImages", "PedMasks", "Annotation"})
    std::filesystem::create_directories(folder / name);
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const data::AnnotatedImage& image = dataset.annotated(i);
    write_file(folder / "PNGImages" / (image.name + ".png"), png_of(dataset.image(i)));
    write_file(folder / "PedMasks" / (image.name + "_mask.png"), png_of(object_map(image)));
    write_file(folder / "Annotation" / (image.name + ".txt"), annotation_text(image));
  }
}

}  // namespace ditto::testing
