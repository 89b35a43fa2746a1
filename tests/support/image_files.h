// Encoded pictures for tests: the reference files of tests/reference/image_files.py, and PNG files
// made chunk by chunk, right or wrong.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/serialize.h"
#include "core/tensor.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"

namespace ditto::testing {

// "file.jpeg_444" and others: bytes; "pixels.jpeg_444": what they show, (H, W, 3) u8.
inline const TensorMap& reference_images() {
  static const TensorMap images =
      load_safetensors(source_path("tests/reference/image_files.safetensors")).tensors;
  return images;
}

inline std::vector<uint8_t> reference_file(const std::string& name) {
  return reference_images().at("file." + name).to_vector<uint8_t>();
}

inline std::string big_endian(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  return big_endian(static_cast<uint32_t>(data.size())) + body +
         big_endian(static_cast<uint32_t>(sum));
}

// An 8-bit RGB PNG that announces width x height and holds `rows` (filter bytes included).
inline std::string png_file(uint32_t width, uint32_t height, const std::string& rows) {
  uLongf size = compressBound(rows.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(rows.data()), rows.size());
  packed.resize(size);
  const std::string header =
      big_endian(width) + big_endian(height) + std::string("\x08\x02\x00\x00\x00", 5);
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + png_chunk("IDAT", packed) +
         png_chunk("IEND", "");
}

// A picture of one colour.
inline std::string plain_png(uint32_t width, uint32_t height, uint8_t red, uint8_t green,
                             uint8_t blue) {
  std::string rows;
  for (uint32_t y = 0; y < height; ++y) {
    rows += '\0';
    for (uint32_t x = 0; x < width; ++x)
      for (const uint8_t v : {red, green, blue}) rows += static_cast<char>(v);
  }
  return png_file(width, height, rows);
}

}  // namespace ditto::testing
