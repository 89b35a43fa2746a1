#include "data/image_folder.h"

#include <sys/stat.h>

#include "tests/support/catch.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;
namespace fs = std::filesystem;

namespace {

// A picture of width x 3 whose red is `mark`.
void add_picture(const fs::path& path, uint8_t mark, uint32_t width = 4) {
  fs::create_directories(path.parent_path());
  write_file(path, plain_png(width, 3, mark, 7, 9));
}

std::vector<int> marks(const ImageDataset& data) {
  std::vector<int> out;
  for (int64_t i = 0; i < data.size(); ++i) out.push_back(data.image(i).data<uint8_t>()[0]);
  return out;
}

std::vector<int64_t> labels(const ImageDataset& data) { return data.labels().to_vector<int64_t>(); }

bool warns(const ImageDataset& data, const std::string& text) {
  for (const std::string& warning : data.warnings())
    if (warning.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("image folder: train and val, sorted classes and files, any case of the extension") {
  const TempDir dir;
  add_picture(dir / "train/dog/b.png", 4);
  add_picture(dir / "train/dog/a.PNG", 3);
  add_picture(dir / "train/cat/sub/x.jpeg", 2);  // by content a PNG: the name does not matter
  add_picture(dir / "train/cat/y.JPG", 1, 9);
  add_picture(dir / "train/.hidden/z.png", 99);
  add_picture(dir / "train/dog/.z.png", 99);
  add_picture(dir / "val/cat/q.png", 5);
  write_file(dir / "train/dog/notes.txt", "x");
  write_file(dir / "train/index.csv", "x");
  const ImageDataset train = load_image_folder(dir.path(), Split::Train, {.image_size = 32});
  CHECK(train.name() == "folder");
  CHECK(train.class_names() == std::vector<std::string>{"cat", "dog"});
  CHECK(marks(train) == std::vector<int>{1, 2, 3, 4});
  CHECK(labels(train) == std::vector<int64_t>{0, 0, 1, 1});
  CHECK(train.image(0).shape() == Shape{3, 9, 3});
  CHECK(train.image(1).shape() == Shape{3, 4, 3});
  CHECK(train.height() == 32);
  CHECK(train.channels() == 3);
  CHECK_FALSE(train.in_memory());
  CHECK_FALSE(train.has_final_size());
  CHECK(train.statistics().mean[0] == 0.485f);
  CHECK(warns(train, "ignored 1 files that are not .jpg, .jpeg or .png, the first is"));
  CHECK(warns(train, "ignored 1 files outside the folders of classes"));
  REQUIRE_THROWS_WITH(train.images(), contains("not in memory"));
  REQUIRE_THROWS_WITH(train.get(0), contains("not in memory"));
  REQUIRE_THROWS_WITH(train.image(4), contains("image 4 of 4"));

  const ImageDataset test = load_image_folder(dir.path(), Split::Test);
  CHECK(marks(test) == std::vector<int>{5});
  CHECK(test.classes() == 2);
  CHECK(test.height() == 224);
  CHECK(warns(test, "val/dog: the class is missing"));

  // Subsets keep their images, in memory or not.
  const std::vector<int64_t> picked{3, 1};
  CHECK(marks(train.select(picked)) == std::vector<int>{4, 2});
  CHECK(labels(train.select(picked)) == std::vector<int64_t>{1, 0});
  CHECK(train.take(2, 1).size() == 2);
  const std::vector<int64_t> last{0};
  CHECK(marks(train.select(picked).select(last)) == std::vector<int>{4});

  const ImageDataset named =
      load("folder", Split::Train,
           {.root = dir.path(), .image_size = 48, .statistics = {{0, 0, 0}, {1, 1, 1}}});
  CHECK(named.size() == 4);
  CHECK(named.width() == 48);
  CHECK(named.statistics().std[2] == 1);
}

TEST_CASE("image folder: without train and val, a part of each class is for testing") {
  const TempDir dir;
  for (int i = 0; i < 10; ++i) {
    add_picture(dir / ("a/" + std::to_string(i) + ".png"), static_cast<uint8_t>(i));
    if (i < 4) add_picture(dir / ("b/" + std::to_string(i) + ".png"), static_cast<uint8_t>(50 + i));
  }
  const ImageDataset train = load_image_folder(dir.path(), Split::Train, {.holdout = 4});
  const ImageDataset test = load_image_folder(dir.path(), Split::Test, {.holdout = 4});
  CHECK(marks(train) == std::vector<int>{0, 1, 2, 4, 5, 6, 8, 9, 50, 51, 52});
  CHECK(marks(test) == std::vector<int>{3, 7, 53});
  CHECK(labels(test) == std::vector<int64_t>{0, 0, 1});
  CHECK(warns(train, "has no folders train and val: one of 4"));
}

TEST_CASE("image folder: links that leave it, loops and odd entries are ignored with a warning") {
  const TempDir outside, dir;
  add_picture(outside / "secret.png", 77);
  add_picture(dir / "train/a/real.png", 1);
  add_picture(dir / "train/b/other.png", 2);
  add_picture(dir / "train/b/x.png/inner.png", 3);  // a folder with the name of an image
  fs::create_symlink(dir / "train/b/other.png", dir / "train/a/inside.png");
  fs::create_symlink(outside / "secret.png", dir / "train/a/secret.png");
  fs::create_symlink(dir / "nowhere.png", dir / "train/a/broken.png");
  fs::create_symlink(dir / "train/a/self.png", dir / "train/a/self.png");
  fs::create_directory_symlink(dir.path(), dir / "train/a/loop");
  fs::create_directory_symlink(outside.path(), dir / "train/c");
  fs::create_directories(dir / "val/a");
  add_picture(dir / "val/a/v.png", 4);
  REQUIRE(mkfifo((dir / "train/b/pipe.jpg").c_str(), 0600) == 0);
  const ImageDataset train = load_image_folder(dir.path(), Split::Train);
  CHECK(train.class_names() == std::vector<std::string>{"a", "b"});
  CHECK(marks(train) == std::vector<int>{2, 1, 2, 3});  // inside.png, real.png, b/...
  CHECK(warns(train, "ignored 4 symbolic links to folders, out of the data set or to nowhere"));
  CHECK(warns(train, "ignored 1 symbolic links where folders of classes are expected"));
  CHECK(warns(train, "ignored 1 names of images that are no regular files"));
  // A link as the root is what the user asked for.
  fs::create_directory_symlink(dir.path(), outside / "link");
  CHECK(load_image_folder(outside / "link", Split::Train).size() == 4);
}

TEST_CASE("image folder: odd names") {
  const TempDir dir;
  add_picture(dir / "train/new\nline/a b.png", 1);
  add_picture(dir / "train/sch\xc3\xb6n/\xe6\x97\xa5.png", 2);
  add_picture(dir / "train/bad\xff/x.png", 3);
  add_picture(dir / "train/quote\"<&>/x.png", 4);
  add_picture(dir / "val/bad\xff/x.png", 5);
  const ImageDataset train = load_image_folder(dir.path(), Split::Train);
  CHECK(train.class_names() ==
        std::vector<std::string>{"bad\\xff", "new\\x0aline", "quote\"<&>", "sch\xc3\xb6n"});
  CHECK(marks(train) == std::vector<int>{3, 1, 4, 2});
  CHECK(marks(load_image_folder(dir.path(), Split::Test)) == std::vector<int>{5});
}

TEST_CASE("image folder: errors name the folder") {
  const TempDir dir;
  const auto attempt = [&](Split split = Split::Train) {
    return load_image_folder(dir / "data", split);
  };
  REQUIRE_THROWS_WITH(attempt(), contains("cannot read the folder") && contains("data: No such"));
  REQUIRE_THROWS_WITH(load_image_folder("", Split::Train), contains("needs a folder"));
  write_file(dir / "file", "x");
  REQUIRE_THROWS_WITH(load_image_folder(dir / "file", Split::Train), contains("not a folder"));
  fs::create_directories(dir / "data");
  REQUIRE_THROWS_WITH(attempt(), contains("no folders of classes in") && contains("/data"));
  write_file(dir / "data/loose.png", "x");
  REQUIRE_THROWS_WITH(attempt(), contains("no folders of classes"));
  fs::create_directories(dir / "data/empty");
  REQUIRE_THROWS_WITH(attempt(), contains("class without images:") && contains("data/empty"));
  add_picture(dir / "data/empty/1.png", 1);
  REQUIRE_THROWS_WITH(attempt(Split::Test), contains("no images for the test set"));
  add_picture(dir / "data/train/a/1.png", 1);
  REQUIRE_THROWS_WITH(attempt(Split::Test), contains("neither val, valid nor test"));
  add_picture(dir / "data/val/a/1.png", 1);
  add_picture(dir / "data/val/b/1.png", 1);
  REQUIRE_THROWS_WITH(attempt(Split::Test), contains("val/b has no counterpart in"));
  REQUIRE_THROWS_WITH(load("folder", Split::Train), contains("--data-root"));
  REQUIRE_THROWS_WITH(load("folder", Split::Train, {.root = dir / "data", .strict = true}),
                      contains("no official files"));
  REQUIRE_THROWS_WITH(load_image_folder(dir / "data", Split::Train, {.image_size = 0}),
                      contains("image_size"));
  REQUIRE_THROWS_WITH(
      load("folder", Split::Train, {.root = dir / "data", .statistics = {{0}, {1}}}),
      contains("channels"));
}

TEST_CASE("image folder: bad images end the run, are left out, or are black") {
  const TempDir dir;
  add_picture(dir / "train/a/1.png", 1);
  write_file(dir / "train/a/2.png", "not a picture");
  write_file(dir / "train/a/3.jpg", "");
  add_picture(dir / "train/a/4.png", 4);
  const auto open = [&](OnBadImage policy) {
    return load_image_folder(dir.path(), Split::Train, {.on_bad_image = policy});
  };
  const ImageDataset strict = open(OnBadImage::Error);
  CHECK(strict.image(0).defined());
  REQUIRE_THROWS_WITH(strict.image(1), contains("neither JPEG nor PNG") && contains("a/2.png"));

  const ImageDataset skipping = open(OnBadImage::Skip);
  CHECK(skipping.bad_images().empty());
  for (int repeat = 0; repeat < 2; ++repeat) {
    CHECK_FALSE(skipping.image(2).defined());
    CHECK_FALSE(skipping.image(1).defined());
    CHECK(skipping.image(3).defined());
  }
  REQUIRE(skipping.bad_images().size() == 2);  // each once
  CHECK_THAT(skipping.bad_images()[0], contains("a/2.png"));
  CHECK_THAT(skipping.bad_images()[1], contains("empty file") && contains("a/3.jpg"));

  const ImageDataset black = open(OnBadImage::Zero);
  CHECK(black.image(1).dim(2) == 3);
  CHECK(black.image(1).to_vector<int>() ==
        std::vector<int>(static_cast<size_t>(black.image(1).numel())));
  CHECK(black.bad_images().size() == 1);
  CHECK(on_bad_image("skip") == OnBadImage::Skip);
  REQUIRE_THROWS_WITH(on_bad_image("ignore"), contains("error, skip or zero, got ignore"));
}

TEST_CASE("image folder: a file that is gone names its path") {
  const TempDir dir;
  add_picture(dir / "train/a/1.png", 1);
  const ImageDataset data = load_image_folder(dir.path(), Split::Train);
  fs::remove(dir / "train/a/1.png");
  REQUIRE_THROWS_WITH(data.image(0), contains("cannot open") && contains("a/1.png"));
}

TEST_CASE("image folder: a flat listing for prediction") {
  const TempDir dir;
  for (const char* name : {"b.png", "A.JPG", "sub/c.jpeg", "sub.txt", ".x.png"})
    add_picture(dir / name, 1);
  std::vector<std::string> warnings, names;
  for (const fs::path& path : list_images(dir.path(), &warnings))
    names.push_back(path.lexically_relative(dir.path()).string());
  CHECK(names == std::vector<std::string>{"A.JPG", "b.png", "sub/c.jpeg"});
  CHECK(warnings.size() == 1);
  REQUIRE_THROWS_WITH(list_images(dir / "none"), contains("cannot read the folder"));
}
