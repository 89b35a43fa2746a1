#include "data/cifar.h"

#include <fstream>

#include "core/file.h"
#include "core/sha256.h"

namespace ditto::data {
namespace {

constexpr int64_t kSide = 32, kPlane = kSide * kSide, kPixels = 3 * kPlane;

struct OfficialFile {
  const char* name;
  int64_t records;
  const char* digest;
};

struct Layout {
  const char* name;
  int64_t coarse_classes;  // 0: records have no coarse label
  int64_t classes;
  std::vector<OfficialFile> train, test;
  int64_t record_bytes() const { return (coarse_classes > 0 ? 2 : 1) + kPixels; }
};

const Layout& cifar10_layout() {
  static const Layout layout{
      "cifar-10",
      0,
      10,
      {{"data_batch_1.bin", 10000,
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
       {"data_batch_2.bin", 10000,
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
       {"data_batch_3.bin", 10000,
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
       {"data_batch_4.bin", 10000,
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
       {"data_batch_5.bin", 10000,
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"}},
      {{"test_batch.bin", 10000,
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}}};
  return layout;
}

const Layout& cifar100_layout() {
  static const Layout layout{
      "cifar-100",
      20,
      100,
      {{"train.bin", 50000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"}},
      {{"test.bin", 10000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"}}};
  return layout;
}

std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
  const InputFile file(path);
  std::vector<uint8_t> bytes(static_cast<size_t>(file.size()));
  file.read(0, bytes.data(), file.size());
  return bytes;
}

// Planes to interleaved pixels.
void interleave(const uint8_t* planes, uint8_t* pixels) {
  for (int64_t i = 0; i < kPlane; ++i)
    for (int64_t c = 0; c < 3; ++c) pixels[3 * i + c] = planes[c * kPlane + i];
}

ImageDataset load(const Layout& layout, const std::filesystem::path& folder, Split split,
                  bool strict, std::vector<std::string> class_names, ChannelStatistics statistics) {
  const std::vector<OfficialFile>& files = split == Split::Train ? layout.train : layout.test;
  const int64_t record = layout.record_bytes(), label_bytes = record - kPixels;
  std::vector<std::vector<uint8_t>> contents;
  std::vector<std::string> warnings;
  int64_t total = 0;
  for (const OfficialFile& file : files) {
    const std::filesystem::path path = folder / file.name;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      check(!strict, "[cifar] missing file", path.string());
      warnings.push_back("missing file " + path.string());
      continue;
    }
    std::vector<uint8_t> bytes = read_bytes(path);
    const auto size = static_cast<int64_t>(bytes.size());
    check(size > 0 && size % record == 0, "[cifar] truncated or foreign file:", path.string(),
          "has", size, "bytes, not a multiple of the record size", record,
          "; the last record starts at byte", size / record * record);
    for (int64_t r = 0; r < size / record; ++r) {
      const uint8_t* labels = bytes.data() + r * record;
      if (layout.coarse_classes > 0)
        check(labels[0] < layout.coarse_classes,
              "[cifar] coarse label out of range:", path.string(), "byte", r * record, "is",
              int{labels[0]});
      check(labels[label_bytes - 1] < layout.classes, "[cifar] label out of range:", path.string(),
            "byte", r * record + label_bytes - 1, "is", int{labels[label_bytes - 1]});
    }
    if (size / record != file.records) {
      check(!strict, "[cifar]", path.string(), "has", size / record,
            "records, the official file has", file.records);
      warnings.push_back(path.string() + " has " + std::to_string(size / record) +
                         " records, the official file has " + std::to_string(file.records));
    }
    if (strict) {
      const std::string digest = sha256(bytes);
      check(digest == file.digest, "[cifar] not the official file:", path.string(), "sha256 is",
            digest, "expected", file.digest);
    }
    total += size / record;
    contents.push_back(std::move(bytes));
  }
  check(total > 0, "[cifar] no", to_string(split), "files of", layout.name, "in", folder.string());

  Tensor images = Tensor::empty({total, kSide, kSide, 3}, Dtype::U8);
  Tensor labels = Tensor::empty({total}, Dtype::I64);
  int64_t i = 0;
  for (const std::vector<uint8_t>& bytes : contents)
    for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(record), ++i) {
      labels.data<int64_t>()[i] = bytes[at + static_cast<size_t>(label_bytes) - 1];
      interleave(bytes.data() + at + label_bytes, images.data<uint8_t>() + i * kPixels);
    }
  ImageDataset dataset(layout.name, images, labels, std::move(class_names), std::move(statistics));
  for (std::string& warning : warnings) dataset.add_warning(std::move(warning));
  return dataset;
}

// The lines of fine_label_names.txt; numbers where the file is absent or has other than 100 lines.
std::vector<std::string> fine_label_names(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::ifstream file(folder / "fine_label_names.txt");
  for (std::string line; names.size() <= 100 && std::getline(file, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) names.push_back(printable(line));
  }
  if (names.size() == 100) return names;
  names.clear();
  for (int k = 0; k < 100; ++k) names.push_back("class " + std::to_string(k));
  return names;
}

}  // namespace

ImageDataset load_cifar10(const std::filesystem::path& folder, Split split, bool strict) {
  return load(
      cifar10_layout(), folder, split, strict,
      {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
      {{0.4914f, 0.4822f, 0.4465f}, {0.2470f, 0.2435f, 0.2616f}});
}

ImageDataset load_cifar100(const std::filesystem::path& folder, Split split, bool strict) {
  return load(cifar100_layout(), folder, split, strict, fine_label_names(folder),
              {{0.5071f, 0.4867f, 0.4408f}, {0.2675f, 0.2565f, 0.2761f}});
}

}  // namespace ditto::data
