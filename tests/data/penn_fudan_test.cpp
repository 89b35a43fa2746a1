// The reader of Penn-Fudan: what is written comes back; hostile texts, masks and folders are
// errors with file and line, or left out and listed; and the official files, where they are.
#include "data/penn_fudan.h"

#include "data/synthetic_pedestrians.h"
#include "tests/support/catch.h"
#include "tests/support/penn_fudan_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

namespace fs = std::filesystem;

const InstanceDataset& pedestrians() {
  static const InstanceDataset dataset =
      synthetic_pedestrians({.images = 6, .width = 96, .height = 80, .most = 3, .seed = 1});
  return dataset;
}

struct Folder : TempDir {
  fs::path root = path() / "PennFudanPed";
  Folder() { write_penn_fudan(root, pedestrians()); }
  fs::path text() const { return root / "Annotation" / "pedestrians0.txt"; }
  fs::path mask() const { return root / "PedMasks" / "pedestrians0_mask.png"; }
  fs::path image() const { return root / "PNGImages" / "pedestrians0.png"; }
};

std::string size_text(const AnnotatedImage& image) {
  return std::to_string(image.width) + " x " + std::to_string(image.height);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

const std::string kText =
    "# comment with \xe9 and a tab\t\n"
    "Image size (X x Y x C) : 100 x 50 x 3\n"
    "Objects with ground truth : 2 { \"PASpersonWalking\" \"PASpersonStanding\" }\n"
    "Bounding box for object 1 \"PASpersonWalking\" (Xmin, Ymin) - (Xmax, Ymax) : (1, 2) - (10, "
    "20)\n"
    "Pixel mask for object 1 \"PASpersonWalking\" : \"PennFudanPed/PedMasks/a_mask.png\"\n"
    "Bounding box for object 2 \"PASpersonStanding\" (Xmin, Ymin) - (Xmax, Ymax) : (5, 5) - (100, "
    "50)\n";

PennFudanText parse(const std::string& text, bool strict = true,
                    std::vector<std::string>* list = nullptr) {
  Problems problems(strict);
  const std::vector<char> copy(text.begin(), text.end());  // so that ASan sees its end
  PennFudanText out = parse_penn_fudan({copy.data(), copy.size()}, "a.txt", "a", problems);
  if (list) *list = problems.list();
  return out;
}

}  // namespace

TEST_CASE("penn-fudan: what is written comes back") {
  const Folder folder;
  for (const fs::path& root : {folder.root, folder.path()}) {
    const InstanceDataset read = load_penn_fudan(root);
    REQUIRE(read.size() == pedestrians().size());
    CHECK(read.warnings().empty());
    CHECK(read.class_names() == std::vector<std::string>{"pedestrian"});
    for (int64_t i = 0; i < read.size(); ++i) {
      const AnnotatedImage &a = read.annotated(i), &b = pedestrians().annotated(i);
      CHECK(a.name == b.name);
      CHECK(a.instances.boxes == b.instances.boxes);
      CHECK(a.instances.masks == b.instances.masks);
      CHECK(a.instances.ids == b.instances.ids);
      CHECK(read.image(i).to_vector<int>() == pedestrians().image(i).to_vector<int>());
      CHECK(a.instances.ids.front() == InstanceId{i + 1, b.instances.ids.front().annotation});
    }
  }
  const InstanceDataset read = load_penn_fudan(folder.root);
  CHECK(read.fingerprint() == load_penn_fudan(folder.path()).fingerprint());
  const InstanceDataset test = read.split(Split::Test, 2, 0), rest = read.split(Split::Train, 2, 0);
  CHECK((test.size() == 2 && rest.size() == 4));
  CHECK(test.fingerprint() != rest.fingerprint());
  for (int64_t i = 0; i < rest.size(); ++i)
    for (int64_t k = 0; k < test.size(); ++k)
      CHECK(rest.annotated(i).name != test.annotated(k).name);
}

TEST_CASE("penn-fudan text: boxes count from one and hold their last pixel") {
  for (const std::string& text : {kText, "\xef\xbb\xbf" + kText,
                                  replaced(replaced(kText, "x 3\n", "x 3\r\n"), "20)\n", "20)\r\n"),
                                  kText.substr(0, kText.size() - 1)}) {
    const PennFudanText read = parse(text);
    CHECK((read.width == 100 && read.height == 50 && read.announced == 2));
    REQUIRE(read.objects.size() == 2);
    CHECK(read.objects[0].box == Rect{0, 1, 10, 20});
    CHECK(read.objects[1].box == Rect{4, 4, 100, 50});
    CHECK(read.objects[1].line == 6);
  }
}

TEST_CASE("penn-fudan text: hostile texts name file and line, or are left out and listed") {
  const struct {
    std::string from, to, message;
    size_t left;  // objects for a lenient reader
  } cases[] = {
      {"(1, 2) - (10, 20)", "(0, 2) - (10, 20)", "a.txt:4: the box of object 1 is not inside", 1},
      {"(1, 2) - (10, 20)", "(1, 2) - (101, 20)", "a.txt:4: the box of object 1 is not inside", 1},
      {"(1, 2) - (10, 20)", "(11, 2) - (10, 20)", "a.txt:4: the box of object 1 is empty", 1},
      {"(1, 2) - (10, 20)", "(12, 2) - (10, 20)", "a.txt:4: the box of object 1 is empty", 1},
      {"(1, 2) - (10, 20)", "(-1, 2) - (10, 20)", "a.txt:4: not a box of four whole numbers", 1},
      {"(1, 2) - (10, 20)", "(nan, 2) - (10, 20)", "a.txt:4: not a box of four whole numbers", 1},
      {"(1, 2) - (10, 20)", "(1,5, 2) - (10, 20)", "a.txt:4: not a box of four whole numbers", 1},
      {"(1, 2) - (10, 20)", "(1e3, 2) - (10, 20)", "a.txt:4: not a box of four whole numbers", 1},
      {"(1, 2) - (10, 20)", "(99999999999999999999, 2) - (10, 20)", "a.txt:4: not a box", 1},
      {"(1, 2) - (10, 20)", "(1, 2) - (10, 20) 3", "a.txt:4: not a box of four whole numbers", 1},
      {"(1, 2) - (10, 20)", "(1, 2) - (10", "a.txt:4: not a box of four whole numbers", 1},
      {"for object 2 \"", "for object 1 \"", "a.txt:6: object 1 has two boxes", 1},
      {"for object 2 \"", "for object 0 \"", "a.txt:6: not an object and its name", 1},
      {"for object 2 \"", "for object 256 \"", "a.txt:6: not an object and its name", 1},
      {"2 \"PASpersonStanding\" (", "2 \"PASperson (", "a.txt:6: not an object and its name", 1},
      {"2 \"PASpersonStanding\" (", "2 \"dog\" (", "a.txt:6: unknown kind of object: dog", 1},
      {"truth : 2", "truth : 3", "a.txt: 3 objects announced, 2 boxes", 2},
      {"truth : 2", "truth : 1000000", "a.txt:3: not a number of objects of at most 255", 2},
      {"Objects with", "Things with", "a.txt:3: unknown line: Things with", 2},
      {"PennFudanPed/PedMasks/a_mask", "/etc/passwd", "a.txt:5: not the mask of this image", 2},
      {"PennFudanPed/PedMasks/a_mask", "../a_mask", "a.txt:5: not the mask of this image", 2},
      {"PedMasks/a_mask", std::string(300, 'x') + "\n", "a.txt:5: not a path in quotes", 2},
      {"PedMasks/a_mask", std::string("P\0a_mask", 8), "a.txt:5: not the mask of this image", 2},
      {"# comment", "* comment", "a.txt:1: unknown line: * comment with \\xe9", 2}};
  for (const auto& c : cases) {
    INFO(c.to);
    const std::string text = replaced(kText, c.from, c.to);
    REQUIRE_THROWS_WITH(parse(text), contains(c.message));
    std::vector<std::string> list;
    CHECK(parse(text, false, &list).objects.size() == c.left);
    REQUIRE_FALSE(list.empty());
    CHECK_THAT(list.front(), contains(c.message.substr(0, 6)));
  }
  // No size, no use.
  for (const char* size : {"", "100 x 50\n", "0 x 50 x 3", "100 x 99999 x 3", "x 50 x 3"})
    for (const bool strict : {true, false})
      REQUIRE_THROWS_WITH(parse(replaced(kText, "100 x 50 x 3", size), strict),
                          contains("a.txt:2: not a size"));
  for (const bool strict : {true, false}) {
    REQUIRE_THROWS_WITH(parse("", strict), contains("a.txt: no 'Image size' line"));
    REQUIRE_THROWS_WITH(parse(kText + std::string(5000, 'x'), strict),
                        contains("a.txt:7: line of 5000 bytes"));
    REQUIRE_THROWS_WITH(parse(std::string((1 << 20) + 1, '\n'), strict), contains("limit is"));
  }
}

TEST_CASE("penn-fudan text: every text cut or changed somewhere is read or refused") {
  for (size_t size = 0; size < kText.size(); ++size) {
    try {
      const size_t objects = parse(kText.substr(0, size), false).objects.size();
      CHECK(objects <= 2);
    } catch (const Error& error) {
      CHECK_THAT(std::string(error.what()), contains("[annotations] a.txt"));
    }
  }
  for (size_t at = 0; at < kText.size(); ++at)
    for (const char byte : {'\0', '\n', '"', '9', '(', '\xff'}) {
      std::string text = kText;
      text[at] = byte;
      try {
        for (const PennFudanObject& object : parse(text, false).objects) {
          REQUIRE(object.box.area() > 0);
          REQUIRE((object.box.x1 <= 9999 && object.box.y1 <= 9999));
        }
      } catch (const Error&) {
      }
    }
}

TEST_CASE("penn-fudan: wrong masks, pictures and files") {
  const auto check_both = [](const Folder& folder, const std::string& message, int64_t left,
                             const std::string& listed) {
    REQUIRE_THROWS_WITH(load_penn_fudan(folder.root), contains(message));
    const InstanceDataset lenient = load_penn_fudan(folder.root, {.lenient = true});
    CHECK(lenient.size() == left);
    REQUIRE_FALSE(lenient.problems().empty());
    CHECK_THAT(lenient.problems().front(), contains(listed));
    // Ids stay those of the whole folder.
    CHECK(lenient.instances(left - 1).ids.front().image == 6);
  };
  const AnnotatedImage& first = pedestrians().annotated(0);
  {
    const Folder folder;
    const Tensor map = object_map(first);
    map.data<uint8_t>()[0] = 200;
    write_file(folder.mask(), png_of(map));
    check_both(folder, "the mask has an object 200 that the annotation does not have", 6,
               "pedestrians0_mask.png: the mask has an object 200");
  }
  {
    const Folder folder;
    write_file(folder.mask(), png_of(Tensor::zeros({first.height, first.width}, Dtype::U8)));
    check_both(folder, "is empty", 6, "the mask of object");
  }
  {
    const Folder folder;
    write_file(folder.mask(), png_of(Tensor::zeros({first.height, first.width + 1}, Dtype::U8)));
    check_both(folder, "the annotation says", 5, "left out");
  }
  {
    const Folder folder;
    write_file(folder.mask(), png_of(pedestrians().image(0)));
    check_both(folder, "one value of at most 8 bits", 5, "left out");
  }
  {
    const Folder folder;
    fs::remove(folder.mask());
    check_both(folder, "pedestrians0_mask.png", 5, "left out");
    fs::create_symlink("/etc/hostname", folder.mask());
    check_both(folder, "a link leads out of the data set", 5, "left out");
  }
  {
    const Folder folder;
    fs::remove(folder.text());
    check_both(folder, "pedestrians0.txt", 5, "left out");
    fs::create_directory(folder.text());
    check_both(folder, "not a regular file", 5, "left out");
  }
  {
    const Folder folder;
    const std::string text = annotation_text(first);
    const std::string box = ": (" + std::to_string(int(first.instances.boxes[0].x0) + 1) + ",";
    write_file(
        folder.text(),
        replaced(text, box, ": (" + std::to_string(int(first.instances.boxes[0].x0) + 6) + ","));
    const InstanceDataset read = load_penn_fudan(folder.root);  // 5 pixels: a warning
    REQUIRE(read.warnings().size() == 1);
    CHECK_THAT(read.warnings()[0], contains("differs from its mask by 5 pixels"));
  }
  {
    const Folder folder;  // pictures are read late
    write_file(folder.image(), png_of(pedestrians().image(1)));
    const InstanceDataset read = load_penn_fudan(folder.root);
    const AnnotatedImage& other = pedestrians().annotated(1);
    REQUIRE_THROWS_WITH(read.image(0),
                        contains("pedestrians0.png has " + size_text(other) +
                                 " pixels, its annotation is for " + size_text(first)));
    for (const CacheKind kind : {CacheKind::None, CacheKind::Encoded, CacheKind::Decoded}) {
      const InstanceDataset skip =
          load_penn_fudan(folder.root, {.on_bad_image = OnBadImage::Skip, .cache = {.kind = kind}});
      for (int i = 0; i < 2; ++i) CHECK_FALSE(skip.image(0).defined());
      REQUIRE(skip.bad_images().size() == 1);
      CHECK_THAT(skip.bad_images()[0], contains("pedestrians0.png has"));
      CHECK(skip.cache().images == 0);
      CHECK(skip.image(1).defined());
    }
    write_file(folder.image(), "no picture");
    REQUIRE_THROWS_WITH(read.image(0), contains("neither JPEG nor PNG"));
    const InstanceDataset skip = load_penn_fudan(folder.root, {.on_bad_image = OnBadImage::Skip});
    CHECK_FALSE(skip.image(0).defined());
    CHECK(skip.bad_images().size() == 1);
  }
  {
    const Folder folder;  // a photograph is gone; the ids of the others change with the list
    fs::remove(folder.image());
    REQUIRE_THROWS_WITH(load_penn_fudan(folder.root),
                        contains("pedestrians0_mask.png: there is no photograph for it"));
    const InstanceDataset lenient = load_penn_fudan(folder.root, {.lenient = true});
    CHECK(lenient.size() == 5);
    REQUIRE(lenient.problems().size() == 2);
    CHECK_THAT(lenient.problems()[1], contains("Annotation/pedestrians0.txt: there is no"));
  }
  {
    const Folder folder;
    write_file(folder.root / "PNGImages" / "pedestrians0.jpg", read_file(folder.image()));
    REQUIRE_THROWS_WITH(load_penn_fudan(folder.root), contains("a second photograph of this name"));
    const InstanceDataset lenient = load_penn_fudan(folder.root, {.lenient = true});
    CHECK(lenient.size() == 6);
    REQUIRE(lenient.problems().size() == 1);
    CHECK_THAT(lenient.problems()[0], contains("pedestrians0.png: left out: a second photograph"));
  }
  {
    const Folder folder;
    write_file(folder.root / "PedMasks" / "notes.txt", "by hand");
    write_file(folder.root / "Annotation" / ".hidden.txt", "");
    const InstanceDataset read = load_penn_fudan(folder.root);
    REQUIRE(read.warnings().size() == 1);
    CHECK_THAT(read.warnings()[0], contains("notes.txt: ignored, not a name that ends in _mask"));
  }
  const TempDir nothing;
  REQUIRE_THROWS_WITH(load_penn_fudan(nothing.path()), contains("no folder PNGImages in"));
  fs::create_directory(nothing / "PNGImages");
  REQUIRE_THROWS_WITH(load_penn_fudan(nothing.path()), contains("no images in"));
  REQUIRE_THROWS_WITH(load_penn_fudan(nothing.path(), {.on_bad_image = OnBadImage::Zero}),
                      contains("error or skip"));
}

TEST_CASE("penn-fudan: the official files") {
  const auto root = locate_penn_fudan();
  if (!root) DITTO_SKIP("Penn-Fudan is not there (DITTO_DATA=FOLDER with PennFudanPed)");
  const InstanceDataset data = load_penn_fudan(*root);
  REQUIRE(data.size() == 170);
  int64_t objects = 0;
  for (int64_t i = 0; i < data.size(); ++i) objects += data.instances(i).objects();
  CHECK(objects == 423);
  // One box is too wide in the text; all others agree with their masks to 3 pixels.
  REQUIRE(data.warnings().size() == 1);
  CHECK_THAT(data.warnings()[0],
             contains("PennPed00027.txt:11: the box of object 1 differs from its mask by 6"));
  CHECK(data.annotated(0).name == "FudanPed00001");
  CHECK(data.instances(0).ids[0] == InstanceId{1, 1});
  CHECK(data.image(0).shape() == Shape{536, 559, 3});
  const InstanceDataset test = data.split(Split::Test, 50, 0);
  CHECK(test.size() == 50);
  CHECK(data.split(Split::Train, 50, 0).size() == 120);
}
