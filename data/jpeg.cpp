#include "data/jpeg.h"

#include <turbojpeg.h>

#include <limits>

#include "data/grey.h"

namespace ditto::data {
namespace {

struct Decoder {
  tjhandle handle = tjInitDecompress();
  ~Decoder() {
    if (handle) tjDestroy(handle);
  }
};

Tensor without_black(const Tensor& cmyk, int channels) {
  const Tensor image = Tensor::empty({cmyk.dim(0), cmyk.dim(1), channels}, Dtype::U8);
  const uint8_t* from = cmyk.data<uint8_t>();
  uint8_t* to = image.data<uint8_t>();
  for (int64_t i = 0; i < cmyk.dim(0) * cmyk.dim(1); ++i, from += 4, to += channels) {
    int rgb[3];
    for (int c = 0; c < 3; ++c) rgb[c] = (from[c] * from[3] + 127) / 255;
    if (channels == 3)
      for (int c = 0; c < 3; ++c) to[c] = static_cast<uint8_t>(rgb[c]);
    else
      *to = grey_of(rgb);
  }
  return image;
}

}  // namespace

Tensor decode_jpeg(std::span<const uint8_t> bytes, std::string_view name, int64_t width,
                   int64_t height, int channels) {
  // A new one for each picture: a decoder that has failed keeps a part of the bad file's state.
  const Decoder decoder;
  check(decoder.handle != nullptr, "[image] no memory for a JPEG decoder");
  const auto expect = [&](bool ok) {
    if (!ok)
      fail("[image] cannot decode", printable(name) + ":",
           printable(tjGetErrorStr2(decoder.handle)));
  };
  const auto size = static_cast<unsigned long>(bytes.size());
  int got_width = 0, got_height = 0, sampling = 0, colours = 0;
  expect(tjDecompressHeader3(decoder.handle, bytes.data(), size, &got_width, &got_height, &sampling,
                             &colours) == 0);
  check(got_width == width && got_height == height, "[image] contradicting sizes:", printable(name),
        "announces", width, "x", height, "and holds", got_width, "x", got_height);
  const bool cmyk = colours == TJCS_CMYK || colours == TJCS_YCCK;
  const Tensor image = Tensor::empty({height, width, cmyk ? 4 : channels}, Dtype::U8);
  const int format = cmyk ? TJPF_CMYK : channels == 3 ? TJPF_RGB : TJPF_GRAY;
  expect(tjDecompress2(decoder.handle, bytes.data(), size, image.data<uint8_t>(), got_width, 0,
                       got_height, format, TJFLAG_STOPONWARNING) == 0);
  return cmyk ? without_black(image, channels) : image;
}

}  // namespace ditto::data
