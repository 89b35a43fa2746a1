// The Penn-Fudan pedestrians: 170 photographs of streets with the outline of every pedestrian.
//
//   PNGImages/NAME.png         the photograph
//   PedMasks/NAME_mask.png     0: background, else the number of the pedestrian
//   Annotation/NAME.txt        PASCAL 1.00: size, number of objects, a box for each
//
// Source: Wang, Shi, Song, Shen, "Object detection combining recognition and segmentation", ACCV
// 2007. Masks are what counts: boxes are their tight boxes, the text is compared with them. Of the
// 423 objects 345 were in the first release (detection.md 1.2).
#pragma once

#include <filesystem>
#include <string_view>

#include "data/image_folder.h"
#include "data/instance_dataset.h"

namespace ditto::data {

struct PennFudanOptions {
  // Leave out what is wrong and list it in problems(); otherwise the first problem is an error.
  bool lenient = false;
  // Photographs that cannot be read, or have another size than their annotation says: an error, or
  // left out (a black one with objects is refused).
  OnBadImage on_bad_image = OnBadImage::Error;
  CacheOptions cache = {};
  ChannelStatistics statistics = imagenet_statistics();
};

// `root` is the folder PennFudanPed or its parent. Image ids are 1, 2, ... in the order of the
// names; annotation ids are the numbers in the masks. Throws Error with the file, and for texts the
// line, on whatever is wrong (see PennFudanOptions), masks and texts without a photograph included;
// boxes that differ from their mask's by more than 3 pixels are warnings, by more than 10 errors.
InstanceDataset load_penn_fudan(const std::filesystem::path& root,
                                const PennFudanOptions& options = {});

// An annotation text by itself.
struct PennFudanObject {
  int64_t number = 0;  // 1, 2, ...
  Rect box;            // continuous coordinates: x0 = Xmin - 1, x1 = Xmax
  int64_t line = 0;    // of the box
};
struct PennFudanText {
  int64_t width = 0, height = 0;
  int64_t announced = 0;  // objects
  std::vector<PennFudanObject> objects;
};
// `name` is the file, for messages; `stem` the name of the image. Lines that say nothing of use are
// passed over; lenient readers leave out objects with wrong numbers or boxes. Texts of more than 1
// MiB, lines of more than 4 KiB and a missing size are errors in any case.
PennFudanText parse_penn_fudan(std::string_view text, const std::string& name,
                               std::string_view stem, Problems& problems);

// The folder that load_penn_fudan would read, or nothing: `root`, or where it is empty the folder
// that the environment variable DITTO_DATA names.
std::optional<std::filesystem::path> locate_penn_fudan(const std::filesystem::path& root = {});

}  // namespace ditto::data
