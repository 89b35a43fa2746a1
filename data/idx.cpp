#include "data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "core/sha256.h"

namespace ditto::data {
namespace {

// A file behind zlib, which passes uncompressed files through. Reads know where they are.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path)
      : path_(path.string()), file_(nullptr, gzclose) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored)) file_.reset(gzopen(path_.c_str(), "rb"));
    check(file_ != nullptr, "[idx] cannot open", path_);
    gzbuffer(file_.get(), 1 << 18);
  }

  // Appends `bytes` bytes to `out`.
  void read(int64_t bytes, std::vector<uint8_t>& out) {
    const size_t start = out.size();
    out.resize(start + static_cast<size_t>(bytes));
    for (int64_t done = 0; done < bytes;) {
      const int64_t piece = std::min<int64_t>(bytes - done, 1 << 24);
      const int got = read_some(out.data() + start + done, static_cast<unsigned>(piece));
      check(got > 0, "[idx] truncated file:", path_, "ends at byte", offset_, "of",
            offset_ + bytes - done);
      done += got, offset_ += got;
    }
  }
  // Checks that nothing follows; reading past the end also verifies gzip's checksum.
  void expect_end() {
    uint8_t extra;
    check(read_some(&extra, 1) == 0, "[idx] data after the last element:", path_, "at byte",
          offset_);
    check(!cut_short_, "[idx] truncated file:", path_, "lacks its gzip checksum");
  }
  const std::string& path() const { return path_; }
  bool compressed() { return gzdirect(file_.get()) == 0; }

 private:
  int read_some(uint8_t* to, unsigned bytes) {
    const int got = gzread(file_.get(), to, bytes);
    int code = Z_OK;
    const char* reason = gzerror(file_.get(), &code);
    cut_short_ = code == Z_BUF_ERROR;  // the compressed stream ends early
    check(code == Z_OK || code == Z_STREAM_END || cut_short_, "[idx] damaged file:", path_,
          "after byte", offset_, reason);
    return got;
  }

  std::string path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
  int64_t offset_ = 0;
  bool cut_short_ = false;
};

int64_t big_endian(const uint8_t* bytes) {
  return int64_t{bytes[0]} << 24 | int64_t{bytes[1]} << 16 | int64_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace

IdxArray read_idx(const std::filesystem::path& path, int rank, bool digest) {
  Reader reader(path);
  std::vector<uint8_t> bytes;
  reader.read(4, bytes);
  check(bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 8,
        "[idx] not an idx file of unsigned bytes:", reader.path(), "starts with", int{bytes[0]},
        int{bytes[1]}, int{bytes[2]}, int{bytes[3]});
  check(bytes[3] == rank, "[idx] wrong number of dimensions at byte 3:", reader.path(), "has",
        int{bytes[3]}, "expected", rank);
  reader.read(4 * rank, bytes);
  IdxArray array;
  int64_t count = 1;
  for (int i = 0; i < rank; ++i) {
    array.sizes.push_back(big_endian(bytes.data() + 4 + 4 * i));
    check(!__builtin_mul_overflow(count, array.sizes.back(), &count),
          "[idx] the sizes overflow:", reader.path());
  }
  // Before the memory is taken: deflate shrinks at most 1032 times, so a larger claim is false.
  const auto stored = static_cast<int64_t>(std::filesystem::file_size(path));
  check(count / (reader.compressed() ? 1032 : 1) <= stored, "[idx] truncated file:", reader.path(),
        "has", stored, "bytes, its header promises", count, "elements");
  const size_t header = bytes.size();
  reader.read(count, bytes);
  reader.expect_end();
  if (digest) array.sha256 = sha256(bytes);
  array.values.assign(bytes.begin() + static_cast<int64_t>(header), bytes.end());
  return array;
}

}  // namespace ditto::data
