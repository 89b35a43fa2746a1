#include "data/png.h"

#include <spng.h>

#include <cstring>
#include <memory>

#include "data/png_stored.h"

namespace ditto::data {
namespace {

// What chunks beside the pixels may hold when inflated, such as a colour profile.
constexpr size_t kMostOfChunks = size_t{16} << 20;

// Samples of 1, 2 or 4 bits, the leftmost in the highest bits.
void unpack(const uint8_t* line, int depth, int64_t width, uint8_t* out) {
  const int mask = (1 << depth) - 1;
  for (int64_t x = 0; x < width; ++x) {
    const int64_t bit = x * depth;
    out[x] = static_cast<uint8_t>(line[bit / 8] >> (8 - depth - bit % 8) & mask);
  }
}

// libspng with a file of which check_structure has seen the checksums.
class Decoder {
 public:
  Decoder(std::span<const uint8_t> bytes, std::string_view name, int flags = 0)
      : name_(name), context_(spng_ctx_new(flags), spng_ctx_free) {
    check(context_ != nullptr, "[image] no memory to decode", printable(name));
    done(spng_set_crc_action(get(), SPNG_CRC_USE, SPNG_CRC_USE));
    done(spng_set_chunk_limits(get(), bytes.size(), kMostOfChunks));
    done(spng_set_png_buffer(get(), bytes.data(), bytes.size()));
    done(spng_get_ihdr(get(), &header));
  }
  spng_ctx* get() const { return context_.get(); }
  void done(int status) const {
    if (status != 0) fail("[image] cannot decode", printable(name_) + ":", spng_strerror(status));
  }

  spng_ihdr header{};

 private:
  std::string_view name_;
  std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context_;
};

}  // namespace

std::optional<PngSamples> png_samples(std::span<const uint8_t> bytes, std::string_view name) {
  const spng_ihdr header = Decoder(bytes, name).header;
  if (header.interlace_method != 0 || header.bit_depth == 16) return std::nullopt;
  constexpr int64_t kChannels[] = {1, 0, 3, 1, 2, 0, 4};  // of the colour types that exist
  const int64_t height = header.height, width = header.width,
                channels = kChannels[header.color_type];
  const int64_t line_bytes = (width * channels * header.bit_depth + 7) / 8;
  // A byte before each line says how it was filtered.
  const Tensor pixels = stored_png(bytes, static_cast<size_t>(height * (1 + line_bytes)));
  const Decoder png = pixels.defined()
                          ? Decoder({pixels.data<uint8_t>(), static_cast<size_t>(pixels.numel())},
                                    name, SPNG_CTX_IGNORE_ADLER32)
                          : Decoder(bytes, name);
  PngSamples out{Tensor::empty({height, width, channels}, Dtype::U8),
                 header.bit_depth,
                 header.color_type == SPNG_COLOR_TYPE_INDEXED,
                 {}};
  if (spng_plte palette; out.indexed) {
    png.done(spng_get_plte(png.get(), &palette));
    for (uint32_t i = 0; i < palette.n_entries; ++i)
      for (const uint8_t value :
           {palette.entries[i].red, palette.entries[i].green, palette.entries[i].blue})
        out.palette.push_back(value);
  }
  const bool packed = header.bit_depth < 8;
  const Tensor stored = packed ? Tensor::empty({height, line_bytes}, Dtype::U8) : out.samples;
  uint8_t* const lines = stored.data<uint8_t>();
  png.done(
      spng_decode_image(png.get(), lines, static_cast<size_t>(stored.numel()), SPNG_FMT_RAW, 0));
  for (int64_t y = 0; packed && y < height; ++y)
    unpack(lines + y * line_bytes, header.bit_depth, width,
           out.samples.data<uint8_t>() + y * width);
  return out;
}

}  // namespace ditto::data
