#include "tests/fuzz/targets.h"

#include <zlib.h>

#include <cstdlib>

#include "core/rle.h"
#include "data/augment.h"
#include "data/image.h"
#include "data/instance_dataset.h"
#include "data/penn_fudan.h"
#include "data/transforms/scale_jitter.h"

namespace ditto::fuzz {
namespace {

// Small enough for thousands of runs a second.
constexpr data::DecodeLimits kLimits{
    .file_bytes = 1 << 16, .pixels = 1 << 16, .side = 2048, .small_bytes = 1 << 18};

// A broken promise: ends the process, so that fuzzers and tests see it.
void promise(bool kept) {
  if (!kept) std::abort();
}

std::string text_of(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

void append_number(std::string& out, size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

void append_chunk(std::string& out, const std::string& body) {
  append_number(out, body.size() - 4);
  out += body;
  append_number(
      out, crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
}

// Checksums stop a fuzzer that does not know them. 0: the bytes as they are; 1: the chunks of a PNG
// with their checksums put right; 2: the body of a header, then what is to be compressed.
std::vector<uint8_t> picture_of(std::span<const uint8_t> bytes) {
  const int mode = bytes.empty() ? 0 : bytes[0] % 3;
  if (!bytes.empty()) bytes = bytes.subspan(1);
  constexpr size_t kSignature = 8, kHeader = 13;
  std::string out = "\x89PNG\r\n\x1a\n";
  if (mode == 1) {
    for (size_t at = kSignature; at + 12 <= bytes.size();) {
      size_t length = 0;
      for (size_t i = 0; i < 4; ++i) length = length << 8 | bytes[at + i];
      length = std::min(length, bytes.size() - at - 12);
      append_chunk(out, text_of(bytes.subspan(at + 4, length + 4)));
      at += length + 12;
    }
  } else if (mode == 2 && bytes.size() > kHeader) {
    append_chunk(out, "IHDR" + text_of(bytes.first(kHeader)));
    append_chunk(out, "PLTE" + text_of(bytes.first(std::min<size_t>(bytes.size() / 3 * 3, 48))));
    const std::span<const uint8_t> rows = bytes.subspan(kHeader);
    uLongf size = compressBound(rows.size());
    std::string packed(size, '\0');
    compress(reinterpret_cast<Bytef*>(packed.data()), &size, rows.data(), rows.size());
    append_chunk(out, "IDAT" + packed.substr(0, size));
    append_chunk(out, "IEND");
  } else {
    return {bytes.begin(), bytes.end()};
  }
  return {out.begin(), out.end()};
}

// Every pixel is looked at, so that sanitizers see what was never written.
double sum_of(const Tensor& x) {
  double sum = 0;
  for (const double v : x.to_vector<double>()) sum += v;
  return sum;
}

void augment(const Tensor& image, uint64_t seed) {
  Rng rng(seed);
  const auto channels = static_cast<size_t>(image.dim(2));
  const data::ImageInfo info{static_cast<int>(image.dim(1)),
                             static_cast<int>(image.dim(0)),
                             static_cast<int>(channels),
                             {0.5, 0.4, 0.3, 0}};
  data::AugmentOptions options{.crop_padding = static_cast<int>(rng.below(5)),
                               .flip = true,
                               .affine = {.degrees = rng.chance(0.5) ? 30.0 : 0.0},
                               .cutout = static_cast<int>(rng.below(9)),
                               .width = 24,
                               .height = 16,
                               .random_resized_crop = rng.chance(0.5),
                               .resized_crop = {},
                               .jitter = {0.4, 0.4, 0.4, 0.1, 0.5},
                               .rand_affine = 0.4,
                               .grayscale = 0.2,
                               .blur = 0.3,
                               .solarize = 0.3};
  const auto policy = data::make_augment(
      options, {std::vector<float>(channels, 0.5f), std::vector<float>(channels, 0.2f)});
  const data::ScaleJitter jitter(20, 28);
  for (const data::Augment* one : {static_cast<const data::Augment*>(policy.get()),
                                   static_cast<const data::Augment*>(&jitter)})
    promise(std::isfinite(sum_of(one->draw(rng, info).apply(image))));
}

void image(std::span<const uint8_t> bytes) {
  const std::vector<uint8_t> file = picture_of(bytes);
  for (const int channels : {3, 1}) {
    try {
      const Tensor decoded = data::decode_image(file, "fuzzed", channels, kLimits);
      promise(decoded.dim(2) == channels && sum_of(decoded) >= 0);
      augment(decoded, bytes.size());
    } catch (const Error&) {
    }
  }
}

void map_of_objects(std::span<const uint8_t> bytes) {
  const Tensor map = data::decode_label_map(picture_of(bytes), "fuzzed", kLimits);
  const data::Instances objects = data::instances_of_map(map, 1, 1);
  data::check_instances(objects, static_cast<int>(map.dim(1)), static_cast<int>(map.dim(0)));
  int64_t covered = 0, set = 0;
  for (const Rle& mask : objects.masks) covered += mask.area();
  for (const uint8_t v : map.to_vector<uint8_t>()) set += v != 0;
  promise(covered == set);
}

void annotation(std::span<const uint8_t> bytes) {
  const bool is_text = bytes.empty() || bytes[0] % 2 == 0;
  if (!bytes.empty()) bytes = bytes.subspan(1);
  try {
    if (!is_text) return map_of_objects(bytes);
  } catch (const Error&) {
    return;
  }
  const std::vector<char> text(bytes.begin(), bytes.end());
  for (const bool strict : {false, true}) {
    try {
      data::Problems problems(strict);
      const data::PennFudanText read =
          data::parse_penn_fudan({text.data(), text.size()}, "fuzzed", "a", problems);
      for (const data::PennFudanObject& object : read.objects)
        promise(object.box.x0 >= 0 && object.box.x0 < object.box.x1 && object.box.y0 >= 0 &&
                object.box.y0 < object.box.y1 && object.box.x1 <= double(read.width) &&
                object.box.y1 <= double(read.height));
      promise(!strict || problems.list().empty());
    } catch (const Error&) {
    }
  }
}

void rle(std::span<const uint8_t> bytes) {
  if (bytes.size() < 4) return;
  const int height = bytes[0] | bytes[1] % 4 << 8, width = bytes[2] | bytes[3] % 4 << 8;
  const std::string text = text_of(bytes.subspan(4));
  try {
    const Rle mask = Rle::parse(text, height, width);
    promise(Rle::parse(mask.text(), height, width) == mask);
    const std::vector<uint8_t> dense = mask.decode();
    int64_t set = 0;
    for (const uint8_t v : dense) set += v;
    promise(set == mask.area() && Rle::encode(dense, height, width) == mask);
    promise(mask.flipped_columns().flipped_columns() == mask);
    promise(mask.flipped_rows().flipped_rows() == mask);
    const Rle part = mask.window(bytes[0] - 100, bytes[2] - 100, 1 + bytes[1], 1 + bytes[3]);
    promise(part.area() <= mask.area());
    promise((mask | mask) == mask && (mask - mask).empty());
    if (!mask.empty()) promise(iou(mask, mask) == 1 && mask.box().area() >= double(mask.area()));
  } catch (const Error&) {
  }
}

}  // namespace

const std::vector<NamedTarget>& targets() {
  static const std::vector<NamedTarget> all = {
      {"image", image}, {"annotation", annotation}, {"rle", rle}};
  return all;
}

}  // namespace ditto::fuzz
