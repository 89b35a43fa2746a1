// show-data and check-data: what sheets show, what is found in damaged data sets, and the commands'
// exit codes.
#include "apps/data_tools/commands.h"

#include <iostream>
#include <sstream>

#include "apps/data_tools/check_data.h"
#include "data/image.h"
#include "data/paste_partner.h"
#include "data/penn_fudan.h"
#include "data/synthetic_pedestrians.h"
#include "data/transforms/flip.h"
#include "data/transforms/translate.h"
#include "tests/support/catch.h"
#include "tests/support/penn_fudan_files.h"

using namespace ditto;
using namespace ditto::apps;
using namespace ditto::testing;
using ditto::data::synthetic_pedestrians;

namespace {

const data::InstanceDataset& pedestrians() {
  static const data::InstanceDataset dataset =
      synthetic_pedestrians({.images = 4, .width = 96, .height = 80, .most = 2, .seed = 1});
  return dataset;
}

// Pictures of one value.
std::shared_ptr<const data::ImageReader> plain_pictures(int width, int height, double value) {
  class Plain : public data::ImageReader {
   public:
    explicit Plain(Tensor picture) : picture_(std::move(picture)) {}
    Tensor read(int64_t) const override { return picture_; }
    std::string fingerprint() const override { return "plain"; }

   private:
    Tensor picture_;
  };
  return std::make_shared<Plain>(Tensor::full({height, width, 3}, value, Dtype::U8));
}

Colour at(const Picture& picture, int64_t x, int64_t y) {
  const uint8_t* pixel = picture.pixels().data<uint8_t>() + 3 * (y * picture.width() + x);
  return {pixel[0], pixel[1], pixel[2]};
}

template <class Command>
int run(const std::string& name, std::vector<std::string> arguments, std::string* said = nullptr) {
  Command command;
  CommandLine app("tool", "for a test");
  app.add(
      name, "", [&](Config& config) { command.declare(config); },
      [&](const Invocation& invocation) { command.run(invocation); });
  std::ostringstream out, err;
  // The commands' own lines go to std::cout.
  std::ostringstream lines;
  std::streambuf* before = std::cout.rdbuf(lines.rdbuf());
  arguments.insert(arguments.begin(), {"tool", name});
  const int code = app.run(arguments, out, err);
  std::cout.rdbuf(before);
  if (said) *said = lines.str() + out.str() + err.str();
  return code;
}

// The first replica is mirrored and has lost nothing.
void check_flips_come_back(const data::InstanceDataset& dataset) {
  const data::RandomFlip flip(1.0);
  const Picture sheet = instance_sheet(dataset, flip, {.images = 1, .replicas = 2});
  const Tensor original = dataset.image(0);
  const int width = static_cast<int>(original.dim(1)), height = static_cast<int>(original.dim(0));
  constexpr int kGap = 8;
  CHECK(sheet.width() == 3 * width + 4 * kGap);
  CHECK(sheet.height() == 2 * height + 3 * kGap);
  // Lower line, second panel: the first replica mapped back. Away from the boxes it is the
  // original.
  const data::Instances& objects = dataset.instances(0);
  int64_t compared = 0;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      bool near = false;
      for (const Rect& box : objects.boxes)
        near = near || (x >= box.x0 - 3 && x < box.x1 + 3 && y >= box.y0 - 3 && y < box.y1 + 3);
      if (near) continue;
      ++compared;
      const Colour got = at(sheet, 2 * kGap + width + x, 2 * kGap + height + y);
      const uint8_t* expected = original.data<uint8_t>() + 3 * (y * width + x);
      for (size_t c = 0; c < 3; ++c) REQUIRE(std::abs(int{got[c]} - int{expected[c]}) <= 1);
    }
  CHECK(compared > 500);
  // Its boxes are there as well: the upper left corner of the first object's.
  const Rect& box = objects.boxes[0];
  CHECK(at(sheet, 2 * kGap + width + int64_t(box.x0), 2 * kGap + height + int64_t(box.y0)) ==
        distinct_colour(0));
}

}  // namespace

TEST_CASE("picture: images, boxes, masks and lines, cut at the edge") {
  Picture picture(10, 8, {0, 0, 0});
  picture.image(8, 6, Tensor::full({4, 4, 1}, 200, Dtype::U8));
  CHECK(at(picture, 9, 7) == Colour{200, 200, 200});
  CHECK(at(picture, 7, 7) == Colour{0, 0, 0});
  picture.box({1, 1, 5, 5}, {9, 8, 7}, 1);
  CHECK(at(picture, 1, 1) == Colour{9, 8, 7});
  CHECK(at(picture, 4, 4) == Colour{9, 8, 7});
  CHECK(at(picture, 2, 2) == Colour{0, 0, 0});
  CHECK(at(picture, 5, 5) == Colour{0, 0, 0});
  picture.mask(-1, 0, Rle::rectangle({0, 0, 3, 3}, 3, 3), {100, 0, 0}, 1);
  CHECK(at(picture, 0, 0) == Colour{100, 0, 0});
  CHECK(at(picture, 2, 0) == Colour{0, 0, 0});
  picture.line({-20, 7.5}, {30, 7.5}, {1, 2, 3}, 1);
  CHECK(at(picture, 0, 7) == Colour{1, 2, 3});
  CHECK(at(picture, 9, 7) == Colour{1, 2, 3});
  picture.box({-1e300, -1e300, 1e300, 1e300}, {1, 1, 1});
  REQUIRE_THROWS_WITH(picture.image(0, 0, Tensor::zeros({2, 2, 2}, Dtype::U8)),
                      contains("must be u8 or f32 (h, w, 1 or 3)"));
}

TEST_CASE("sheet: a replica that lost nothing lies on the original again") {
  check_flips_come_back(pedestrians());
}

TEST_CASE("check-data: clean sets pass, each kind of damage is a problem") {
  const DataFindings clean = check_instances_of(pedestrians(), true);
  CHECK(clean.problems.empty());
  CHECK(clean.images == 4);
  CHECK_THAT(findings_text(clean), contains("4 images, "));

  const TempDir dir;
  write_penn_fudan(dir.path(), pedestrians());
  const std::string root = dir.path().string();
  std::string said;
  CHECK(run<CheckInstancesCommand>("check-data", {"--data-root", root}, &said) == 0);
  CHECK_THAT(said, contains(": 0 problems, 0 remarks"));

  write_file(dir / "PNGImages/pedestrians1.png", "no picture");
  write_file(dir / "PNGImages/pedestrians2.png", png_of(pedestrians().image(3)));
  const data::AnnotatedImage& first = pedestrians().annotated(0);
  const Tensor map = object_map(first);
  map.data<uint8_t>()[0] = 77;  // an object of one pixel that the text does not have
  write_file(dir / "PedMasks/pedestrians0_mask.png", png_of(map));
  std::filesystem::remove(dir / "Annotation/pedestrians3.txt");
  CHECK(run<CheckInstancesCommand>("check-data", {"--data-root", root}, &said) == 1);
  CHECK_THAT(said, contains("neither JPEG nor PNG"));
  CHECK_THAT(said, contains("its annotation is for"));
  CHECK_THAT(said, contains("the mask has an object 77"));
  CHECK_THAT(said, contains("pedestrians3.png: left out"));
  CHECK_THAT(said, contains("[check-data] 4 problems were found"));

  // Both halves of a pair can be missing.
  std::filesystem::remove(dir / "PNGImages/pedestrians2.png");
  std::filesystem::remove(dir / "PedMasks/pedestrians1_mask.png");
  CHECK(run<CheckInstancesCommand>("check-data", {"--data-root", root}, &said) == 1);
  CHECK_THAT(said, contains("PedMasks/pedestrians2_mask.png: there is no photograph for it"));
  CHECK_THAT(said, contains("Annotation/pedestrians2.txt: there is no photograph for it"));
  CHECK_THAT(said, contains("pedestrians1.png: left out: [file] cannot open"));
}

TEST_CASE("show-data: photographs of the wrong size stop it, or are left out") {
  const TempDir dir;
  write_penn_fudan(dir.path(), pedestrians());
  write_file(dir / "PNGImages/pedestrians0.png", png_of(pedestrians().image(1)));
  const std::vector<std::string> show = {"--data-root", dir.path().string(),   "--images", "2",
                                         "--run-dir",   (dir / "run").string()};
  std::string said;
  CHECK(run<ShowInstancesCommand>("show-data", show, &said) == 1);
  CHECK_THAT(said, contains("pedestrians0.png has"));
  std::vector<std::string> skip = show;
  skip.back() += "2";
  skip.insert(skip.end(), {"--on-bad-image", "skip"});
  CHECK(run<ShowInstancesCommand>("show-data", skip, &said) == 0);
  // check-data finds it either way, once.
  for (const char* policy : {"error", "skip"}) {
    CHECK(run<CheckInstancesCommand>("check-data",
                                     {"--data-root", dir.path().string(), "--on-bad-image", policy},
                                     &said) == 1);
    CHECK_THAT(said, contains("[check-data] 1 problems were found"));
  }
}

TEST_CASE("check-data: tiny objects, masks outside boxes, twins, pictures of one colour") {
  data::AnnotatedImage image{.name = "a", .width = 20, .height = 20, .instances = {}};
  const auto add = [&](const Rect& box, const Rect& mask, int64_t id) {
    image.instances.boxes.push_back(box);
    image.instances.masks.push_back(Rle::rectangle(mask, 20, 20));
    image.instances.labels.push_back(1);
    image.instances.ids.push_back({1, id});
    image.instances.ignore.push_back(0);
  };
  add({0, 0, 1, 9}, {0, 0, 1, 9}, 1);    // thin, and 9 pixels
  add({5, 5, 9, 9}, {5, 5, 10, 10}, 2);  // mask beyond its box
  add({5, 5, 10, 10}, {5, 5, 10, 10}, 3);
  data::AnnotatedImage empty{.name = "b", .width = 20, .height = 20, .instances = {}};
  const data::InstanceDataset dataset("grey", plain_pictures(20, 20, 9), {image, empty}, {"thing"},
                                      {{0, 0, 0}, {1, 1, 1}});
  const DataFindings found = check_instances_of(dataset, true);
  const std::string text = findings_text(found);
  for (const char* line : {"a: object 1 has a box of 1 x 9 pixels", "a: object 1 has a mask of 9",
                           "a: object 2 has a mask outside its box", "b: no objects",
                           "a: object 3 is almost the same as object 2", "a picture of one colour"})
    CHECK_THAT(text, contains(line));
  CHECK(found.problems.size() == 4);
}

TEST_CASE("check-data and show-data: classified images") {
  const TempDir dir;
  Rng rng(1);
  for (const char* part : {"train", "val"})
    for (const char* name : {"cat", "dog"}) {
      std::filesystem::create_directories(dir / part / name);
      for (int i = 0; i < 3; ++i) {
        Tensor image = Tensor::empty({12, 10, 3}, Dtype::U8);
        for (int64_t k = 0; k < image.numel(); ++k)
          image.data<uint8_t>()[k] = static_cast<uint8_t>(rng.below(256));
        write_file(dir / part / name / (std::to_string(i) + ".png"), png_of(image));
      }
    }
  const std::vector<std::string> data = {"--dataset",         "folder",       "--data-root",
                                         dir.path().string(), "--image-size", "16"};
  std::string said;
  CHECK(run<CheckImagesCommand>("check-data", data, &said) == 0);
  std::vector<std::string> show = data;
  show.insert(show.end(), {"--run-dir", (dir / "run").string(), "--images", "2", "--rrc"});
  CHECK(run<ShowImagesCommand>("show-data", show, &said) == 0);
  const std::string png = read_file(dir / "run" / "data.png");
  CHECK(png.substr(1, 3) == "PNG");
  CHECK(std::filesystem::exists(dir / "run" / "config.json"));

  std::filesystem::copy(dir / "train/cat/0.png", dir / "val/cat/9.png");
  write_file(dir / "train/dog/1.png", plain_png(9, 9, 1, 1, 1));
  CHECK(run<CheckImagesCommand>("check-data", data, &said) == 0);
  CHECK_THAT(said, contains("test image 3: the same picture as train image 0"));
  CHECK_THAT(said, contains("train image 4: a picture of one colour"));
  write_file(dir / "train/dog/2.png", "damaged");
  CHECK(run<CheckImagesCommand>("check-data", data, &said) == 1);
  CHECK_THAT(said, contains("2.png"));
  std::vector<std::string> skipping = data;
  skipping.insert(skipping.end(), {"--on-bad-image", "skip"});
  CHECK(run<CheckImagesCommand>("check-data", skipping, &said) == 1);
}

TEST_CASE("sheet: masks in the replicas and on the original, and lines between the pairs") {
  // One object on black, between its box's edges; a replica is mirrored, the other not.
  constexpr int kWidth = 60, kHeight = 40, kGap = 8;
  const Rect box{10, 10, 20, 30};
  data::AnnotatedImage image{.name = "a", .width = kWidth, .height = kHeight, .instances = {}};
  image.instances = {{box}, {1}, {{0, 0}}, {Rle::rectangle(box, kHeight, kWidth)}, {0}};
  const data::InstanceDataset dataset("black", plain_pictures(kWidth, kHeight, 0), {image},
                                      {"thing"}, {{0, 0, 0}, {1, 1, 1}});
  const data::RandomFlip flip(0.5);
  // A seed by which the first replica is mirrored and the second is not.
  int64_t seed = 0;
  const auto mirrored = [&](int number) {
    Rng rng = data::ReplicaKey{static_cast<uint64_t>(seed), 0, 0, number}.rng(Purpose::Augment);
    return flip.draw(rng, dataset.info(0)).frame().map.a < 0;
  };
  while (!mirrored(0) || mirrored(1)) ++seed;
  const Picture sheet = instance_sheet(dataset, flip, {.images = 1, .replicas = 2, .seed = seed});
  const Colour colour = distinct_colour(0);
  Colour tinted{};
  for (size_t c = 0; c < 3; ++c) tinted[c] = static_cast<uint8_t>(std::lround(0.45 * colour[c]));
  const auto panel = [&](int column, int line, double x, double y) {
    return at(sheet, kGap + column * (kWidth + kGap) + static_cast<int>(x),
              kGap + line * (kHeight + kGap) + static_cast<int>(y));
  };
  // In the middle of the upper half of the object, where no line goes.
  CHECK(panel(0, 0, 14, 15) == tinted);
  CHECK(panel(1, 0, kWidth - 15, 15) == tinted);
  CHECK(panel(1, 0, 14, 15) == Colour{0, 0, 0});
  CHECK(panel(2, 0, 14, 15) == tinted);
  // Back on the original, once for each replica, and both on the first panel.
  CHECK(panel(1, 1, 14, 15) == tinted);
  CHECK(panel(1, 1, kWidth - 15, 15) == Colour{0, 0, 0});
  CHECK(panel(2, 1, 14, 15) == tinted);
  CHECK(panel(0, 1, 14, 15)[0] + panel(0, 1, 14, 15)[1] > tinted[0] + tinted[1]);
  // From centre to centre, across both panels and the gap.
  const int y = kGap + 20, from = kGap + (kWidth + kGap) + kWidth - 15,
            to = kGap + 2 * (kWidth + kGap) + 15;
  for (int x = from; x < to; ++x) CHECK(at(sheet, x, y) == colour);
  CHECK(at(sheet, from - 7, y) == Colour{0, 0, 0});  // left of the object
  CHECK(at(sheet, kGap + 15, y) != colour);          // none to the original
}

TEST_CASE("sheet: pasted objects have a box in the replica, and no way back") {
  const data::RandomFlip still(0.0);
  SheetOptions options{.images = 1, .replicas = 1};
  const Picture plain = instance_sheet(pedestrians(), still, options);
  options.paste.probability = 1;
  const Picture pasted = instance_sheet(pedestrians(), still, options);
  REQUIRE(pasted.width() == plain.width());
  REQUIRE(pasted.height() == plain.height());
  const int width = static_cast<int>(pedestrians().image(0).dim(1));
  const int height = static_cast<int>(pedestrians().image(0).dim(0));
  constexpr int kGap = 8;
  const auto differing = [&](int column, int line) {
    int64_t count = 0;
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const int at_x = kGap + column * (width + kGap) + x,
                  at_y = kGap + line * (height + kGap) + y;
        count += at(plain, at_x, at_y) != at(pasted, at_x, at_y);
      }
    return count;
  };
  CHECK(differing(0, 0) == 0);   // the original with its own objects
  CHECK(differing(1, 0) > 100);  // the replica
  CHECK(differing(1, 1) > 50);   // its pixels on the original
}

TEST_CASE("show-data: a sheet of the official Penn-Fudan files") {
  const auto root = data::locate_penn_fudan();
  if (!root) DITTO_SKIP("Penn-Fudan is not there (DITTO_DATA=FOLDER with PennFudanPed)");
  const TempDir dir;
  std::string said;
  const auto show = [&](const std::string& run_dir, std::vector<std::string> more) {
    more.insert(more.end(), {"--data-root", root->string(), "--images", "1", "--replicas", "2",
                             "--run-dir", (dir / run_dir).string()});
    CHECK(run<ShowInstancesCommand>("show-data", more, &said) == 0);
    CHECK_THAT(said, contains("data.png"));
    return data::read_image(dir / run_dir / "data.png", 3);
  };
  // Two lines of three panels.
  const data::InstanceDataset dataset = data::load_penn_fudan(*root);
  const Tensor sheet = show("plain", {}), pasted = show("pasted", {"--copy-paste", "1"});
  CHECK(sheet.dim(0) > 2 * dataset.info(0).height);
  CHECK(sheet.dim(1) > 3 * dataset.info(0).width);
  CHECK(pasted.to_vector<uint8_t>() != sheet.to_vector<uint8_t>());
  check_flips_come_back(dataset);
}

TEST_CASE("show-data: a sheet of generated pedestrians") {
  const TempDir dir;
  std::string said;
  CHECK(run<ShowInstancesCommand>("show-data",
                                  {"--dataset", "synthetic", "--synthetic-images", "2", "--images",
                                   "1", "--copy-paste", "1", "--run-dir", (dir / "run").string()},
                                  &said) == 0);
  CHECK_THAT(said, contains("data.png"));
  CHECK(read_file(dir / "run" / "data.png").size() > 10000);
  CHECK(run<ShowInstancesCommand>("show-data", {"--jitter-low", "2", "--jitter-high", "1"}) == 2);
}
