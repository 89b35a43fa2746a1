#include "core/serialize.h"

#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/safetensors_header.h"
#include "tests/support/catch.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"

namespace ditto {
namespace {

using testing::contains;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

// Same dtype, shape and bits: NaN and -0 count.
bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  const size_t bytes = static_cast<size_t>(a.numel() * size_of(a.dtype()));
  return std::memcmp(a.contiguous().view().data, b.contiguous().view().data, bytes) == 0;
}

std::string file_of(const std::string& json, size_t data_bytes) {
  const uint64_t size = json.size();
  std::string bytes(reinterpret_cast<const char*>(&size), 8);
  return bytes + json + std::string(data_bytes, '\1');
}

// The error message of loading a file with these bytes; empty when it loads.
std::string error_of_bytes(const std::string& bytes) {
  TempDir dir;
  write_file(dir / "x.safetensors", bytes);
  try {
    load_safetensors(dir / "x.safetensors");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
std::string error_of(const std::string& json, size_t data_bytes) {
  return error_of_bytes(file_of(json, data_bytes));
}
// A header with the one tensor "a".
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

// What tests/reference/safetensors_golden.py writes.
TensorMap golden_tensors() {
  const float inf = std::numeric_limits<float>::infinity();
  TensorMap tensors;
  tensors["weight"] = Tensor::from<float>({1.5f, -2.0f, 0.0f, inf, -0.0f, 3.25f}, {2, 3});
  tensors["bias"] = Tensor::from<double>({0.1, 1e300}, {2});
  tensors["half"] = Tensor::from<float>({1.0f, -0.5f, 65504.0f}, {3}, Dtype::F16);
  tensors["brain"] = Tensor::from<float>({1.0f, -3.0f, 0x1p100f}, {3}, Dtype::BF16);
  tensors["steps"] = Tensor::from<int64_t>({-(int64_t{1} << 40)}, {});
  tensors["labels"] = Tensor::from<int32_t>({7, -7}, {2});
  tensors["image"] = Tensor::arange(6, Dtype::U8).alias({1, 2, 3}, {6, 3, 1}, 0);
  tensors["mask"] = Tensor::from<uint8_t>({1, 0, 1}, {3}, Dtype::Bool);
  tensors["empty"] = Tensor::empty({0, 4});
  tensors["odd \"name\"\n\xc3\xa9"] = Tensor::from<uint8_t>({9}, {1});
  return tensors;
}
const std::string kGolden = testing::source_path("tests/reference/golden.safetensors");

}  // namespace

TEST_CASE("a file of the reference package reads as it was written") {
  const SafetensorsFile file = load_safetensors(kGolden);
  REQUIRE(file.metadata == Metadata{{"format", "pt"}});
  const TensorMap expected = golden_tensors();
  REQUIRE(file.tensors.size() == expected.size());
  for (const auto& [name, tensor] : expected) {
    INFO(name);
    REQUIRE(file.tensors.contains(name));
    REQUIRE(same_bits(file.tensors.at(name), tensor));
  }
}

TEST_CASE("the writer gives the bytes of the reference package") {
  TempDir dir;
  save_safetensors(dir / "ours.safetensors", golden_tensors(), {{"format", "pt"}});
  REQUIRE(read_file(dir / "ours.safetensors") == read_file(kGolden));
}

TEST_CASE("tensors of every dtype survive a round trip, strided ones become contiguous") {
  TempDir dir;
  TensorMap tensors;
  for (Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16, Dtype::F16, Dtype::I32, Dtype::I64,
                      Dtype::U8, Dtype::Bool}) {
    tensors[to_string(dtype) + ".3x5"] = Tensor::arange(15, dtype).alias({3, 5}, {5, 1}, 0);
    tensors[to_string(dtype) + ".transposed"] = Tensor::arange(15, dtype).alias({5, 3}, {1, 5}, 0);
    tensors[to_string(dtype) + ".scalar"] = Tensor::scalar(1, dtype);
  }
  tensors["nan"] = Tensor::scalar(std::numeric_limits<double>::quiet_NaN());
  const Metadata metadata{{"b", "two\nlines"}, {"a", "\xe2\x82\xac"}, {"", ""}};
  save_safetensors(dir / "t.safetensors", tensors, metadata);
  const SafetensorsFile file = load_safetensors(dir / "t.safetensors");
  REQUIRE(file.metadata == metadata);
  REQUIRE(file.tensors.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    INFO(name);
    REQUIRE(same_bits(file.tensors.at(name), tensor));
  }
  REQUIRE(file.tensors.at("f32.transposed").to_vector<float>()[1] == 5.0f);
}

TEST_CASE("a file without tensors is a file") {
  TempDir dir;
  save_safetensors(dir / "none.safetensors", {});
  REQUIRE(read_file(dir / "none.safetensors") == file_of("{}      ", 0));
  REQUIRE(load_safetensors(dir / "none.safetensors").tensors.empty());
}

TEST_CASE("what the format allows is accepted") {
  REQUIRE(error_of("{}", 0) == "");
  REQUIRE(error_of("{}   ", 0) == "");
  REQUIRE(error_of(R"({"__metadata__":{}})", 0) == "");
  REQUIRE(error_of(one("F32", "[]", "[0,4]"), 4) == "");
  REQUIRE(error_of(one("F32", "[0,18446744073709551]", "[0,0]"), 0) == "");
  REQUIRE(error_of(R"({ "a" : {"data_offsets" : [0, 1], "shape":[1], "dtype":"U8"} })", 1) == "");
  // The order in the JSON is free, only the data must tile.
  REQUIRE(error_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                   R"("b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                   R"("c":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}})",
                   3) == "");
}

TEST_CASE("a damaged start of the file is refused") {
  REQUIRE_THAT(error_of_bytes(""), contains("file is shorter than 8 bytes: 0"));
  REQUIRE_THAT(error_of_bytes("1234567"), contains("file is shorter than 8 bytes: 7"));
  const auto with_length = [](uint64_t length, const std::string& rest) {
    return std::string(reinterpret_cast<const char*>(&length), 8) + rest;
  };
  REQUIRE_THAT(error_of_bytes(with_length(100'000'001, "{}")),
               contains("header is longer than 100 MB: 100000001"));
  REQUIRE_THAT(error_of_bytes(with_length(UINT64_MAX, "{}")),
               contains("header is longer than 100 MB: 18446744073709551615"));
  REQUIRE_THAT(error_of_bytes(with_length(3, "{}")), contains("header is longer than the file: 3"));
  REQUIRE_THAT(error_of_bytes(with_length(0, "")), contains("does not begin with '{'"));
}

TEST_CASE("a header that is not exactly one JSON object is refused") {
  REQUIRE_THAT(error_of(" {}", 0), contains("does not begin with '{'"));
  REQUIRE_THAT(error_of("[]", 0), contains("does not begin with '{'"));
  REQUIRE_THAT(error_of("\xef\xbb\xbf{}", 0), contains("does not begin with '{'"));
  REQUIRE_THAT(error_of("{}\n", 0), contains("does not end with '}' and spaces"));
  REQUIRE_THAT(error_of(R"({"a":)", 0), contains("does not end with '}'"));
  REQUIRE_THAT(error_of("{}{}", 0), contains("not valid JSON at byte 3"));
  REQUIRE_THAT(error_of("{} {}", 0), contains("not valid JSON"));
  REQUIRE_THAT(error_of("{,}", 0), contains("not valid JSON at byte 2"));
  REQUIRE_THAT(error_of(R"({"__metadata__":{"a":"b",}})", 0), contains("not valid JSON"));
  REQUIRE_THAT(error_of(std::string("{}\0{}", 5), 0), contains("NUL byte"));
  REQUIRE_THAT(error_of("{\"\xff\":{}}", 0), contains("ill-formed UTF-8"));
  REQUIRE_THAT(error_of("{\"__metadata__\":{\"a\":\"\xc0\xaf\"}}", 0),
               contains("ill-formed UTF-8"));
}

TEST_CASE("a header of another structure is refused") {
  REQUIRE_THAT(error_of(R"({"a":1})", 0), contains("did not expect a number in tensor a"));
  REQUIRE_THAT(error_of(R"({"a":null})", 0), contains("did not expect null in tensor a"));
  REQUIRE_THAT(error_of(R"({"a":[]})", 0), contains("did not expect an array in tensor a"));
  REQUIRE_THAT(error_of(R"({"a":"F32"})", 0), contains("did not expect a string in tensor a"));
  REQUIRE_THAT(error_of(R"({"a":{}})", 0), contains("needs dtype, shape and data_offsets: a"));
  REQUIRE_THAT(error_of(R"({"a":{"dtype":"U8","shape":[1]}})", 0),
               contains("needs dtype, shape and data_offsets: a"));
  REQUIRE_THAT(error_of(R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}})", 1),
               contains("unknown field: x in a"));
  REQUIRE_THAT(error_of(R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1),
               contains("did not expect an array in tensor a"));
  REQUIRE_THAT(error_of(R"({"a":{"dtype":{"x":1},"shape":[1],"data_offsets":[0,1]}})", 1),
               contains("did not expect an object in tensor a"));
  REQUIRE_THAT(error_of(R"({"a":{"dtype":true,"shape":[1],"data_offsets":[0,1]}})", 1),
               contains("did not expect a boolean in tensor a"));
  REQUIRE_THAT(error_of(R"({"a":{"dtype":"U8","shape":3,"data_offsets":[0,1]}})", 1),
               contains("did not expect a number in tensor a"));
  REQUIRE_THAT(error_of(R"({"__metadata__":[]})", 0), contains("in __metadata__"));
  REQUIRE_THAT(error_of(R"({"__metadata__":{"a":1}})", 0),
               contains("did not expect a number in __metadata__ (maps strings to strings)"));
  REQUIRE_THAT(error_of(R"({"__metadata__":{"a":{}}})", 0), contains("in __metadata__"));
  // Nesting far too deep for any recursive parser.
  REQUIRE_THAT(error_of(R"({"a":)" + std::string(5'000'000, '[') + "}", 0),
               contains("did not expect an array in tensor a"));
}

TEST_CASE("duplicate keys are refused at every level") {
  const std::string entry = R"({"dtype":"U8","shape":[],"data_offsets":[0,1]})";
  REQUIRE_THAT(error_of(R"({"a":)" + entry + R"(,"a":)" + entry + "}", 1),
               contains("duplicate key: a"));
  REQUIRE_THAT(error_of(R"({"__metadata__":{},"__metadata__":{}})", 0),
               contains("duplicate key: __metadata__"));
  REQUIRE_THAT(error_of(R"({"__metadata__":{"k":"1","k":"2"}})", 0),
               contains("duplicate key in __metadata__: k"));
  // The same key in other spelling.
  REQUIRE_THAT(error_of(R"({"__metadata__":{"k":"1","\u006b":"2"}})", 0),
               contains("duplicate key in __metadata__: k"));
  REQUIRE_THAT(error_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1),
               contains("duplicate field in a"));
}

TEST_CASE("sizes and offsets must be unsigned integers") {
  for (const char* number : {"-1", "-0", "1.0", "1e0", "3.9", "18446744073709551616", "1e400"}) {
    INFO(number);
    REQUIRE_THAT(error_of(one("U8", "[" + std::string(number) + "]", "[0,1]"), 1),
                 contains("[safetensors] "));
    REQUIRE_THAT(error_of(one("U8", "[1]", "[0," + std::string(number) + "]"), 1),
                 contains("[safetensors] "));
  }
  REQUIRE_THAT(error_of(one("U8", "[-1]", "[0,1]"), 1), contains("a negative number in tensor a"));
  REQUIRE_THAT(error_of(one("U8", "[3.9]", "[0,1]"), 1),
               contains("a number that is no unsigned 64-bit integer in tensor a"));
  REQUIRE_THAT(error_of(one("U8", "[18446744073709551616]", "[0,0]"), 0),
               contains("a number that is no unsigned 64-bit integer in tensor a"));
  REQUIRE_THAT(error_of(one("U8", R"(["1"])", "[0,1]"), 1), contains("a string in tensor a"));
  REQUIRE_THAT(error_of(one("U8", "[1]", "[0]"), 1), contains("data_offsets needs two numbers: a"));
  REQUIRE_THAT(error_of(one("U8", "[1]", "[0,1,1]"), 1),
               contains("data_offsets needs two numbers"));
  REQUIRE_THAT(error_of(one("U8", "[1]", "[]"), 1), contains("data_offsets needs two numbers"));
}

TEST_CASE("the tensors must tile the data") {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}";
  };
  REQUIRE(error_of(two("[0,2]", "[2,4]"), 4) == "");
  const std::string tiling = "leave a hole, overlap or run backwards: ";
  REQUIRE_THAT(error_of(two("[0,2]", "[3,5]"), 5), contains(tiling + "b 3 5 after byte 2"));
  REQUIRE_THAT(error_of(two("[0,2]", "[1,3]"), 3), contains(tiling + "b 1 3"));
  REQUIRE_THAT(error_of(two("[0,2]", "[0,2]"), 2), contains(tiling + "b 0 2"));
  REQUIRE_THAT(error_of(two("[1,3]", "[3,5]"), 5), contains(tiling + "a 1 3 after byte 0"));
  REQUIRE_THAT(error_of(one("U8", "[2]", "[2,0]"), 2), contains(tiling + "a 2 0"));
  REQUIRE_THAT(error_of(one("U8", "[0]", "[0,18446744073709551615]"), 0),
               contains("do not fit shape and dtype: a has 18446744073709551615 bytes, needs 0"));
  REQUIRE_THAT(error_of(one("F32", "[2]", "[0,4]"), 4),
               contains("do not fit shape and dtype: a has 4 bytes, needs 8"));
  REQUIRE_THAT(error_of(one("F32", "[2]", "[0,8]"), 7),
               contains("file is truncated: the tensors need 8 bytes, the file has 7"));
  REQUIRE_THAT(error_of(one("F32", "[2]", "[0,8]"), 9), contains("bytes after the last tensor: 1"));
  REQUIRE_THAT(error_of("{}", 3), contains("bytes after the last tensor: 3"));
}

TEST_CASE("products of sizes must not overflow") {
  REQUIRE_THAT(error_of(one("U8", "[4294967296,4294967296]", "[0,0]"), 0),
               contains("shape overflows 64 bits: a"));
  REQUIRE_THAT(error_of(one("F64", "[2305843009213693952]", "[0,0]"), 0),
               contains("shape overflows 64 bits: a"));
  REQUIRE_THAT(error_of(one("F64", "[0,4294967296,4294967296]", "[0,0]"), 0),
               contains("shape overflows 64 bits: a"));
}

TEST_CASE("dtypes are known, supported and fill whole bytes") {
  REQUIRE_THAT(error_of(one("F33", "[1]", "[0,4]"), 4), contains("unknown dtype: F33"));
  REQUIRE_THAT(error_of(one("f32", "[1]", "[0,4]"), 4), contains("unknown dtype: f32"));
  REQUIRE_THAT(error_of(one("", "[1]", "[0,4]"), 4), contains("unknown dtype: "));
  REQUIRE_THAT(error_of(one("F4", "[3]", "[0,1]"), 1), contains("does not fill whole bytes: a"));
  REQUIRE_THAT(error_of(one("F6_E2M3", "[2]", "[0,1]"), 1), contains("not fill whole bytes: a"));
  REQUIRE_THAT(error_of(one("F4", "[2]", "[0,1]"), 1), contains("unsupported dtype: F4"));
  REQUIRE_THAT(error_of(one("I16", "[1]", "[0,2]"), 2), contains("unsupported dtype: I16"));
  REQUIRE_THAT(error_of(one("C64", "[1]", "[0,8]"), 8), contains("unsupported dtype: C64"));
  REQUIRE_THAT(error_of(one("I16", "[1]", "[0,1]"), 1), contains("do not fit shape and dtype"));
  // file_of fills the data with 1s: a true, and a pattern that is no bool when two bytes differ.
  REQUIRE(error_of(one("BOOL", "[1]", "[0,1]"), 1) == "");
  REQUIRE_THAT(error_of_bytes(file_of(one("BOOL", "[2]", "[0,2]"), 1) + '\2'),
               contains("BOOL byte is neither 0 nor 1: a"));
}

TEST_CASE("limits on names, ranks and counts hold") {
  const auto named = [](const std::string& name) {
    return "{\"" + name + R"(":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})";
  };
  REQUIRE(error_of(named(std::string(1024, 'n')), 1) == "");
  REQUIRE_THAT(error_of(named(std::string(1025, 'n')), 1),
               contains("key is longer than 1024 bytes: nnn"));
  const auto ones = [](int n) {
    std::string list = "[1";
    for (int i = 1; i < n; ++i) list += ",1";
    return list + "]";
  };
  REQUIRE(error_of(one("U8", ones(8), "[0,1]"), 1) == "");
  REQUIRE_THAT(error_of(one("U8", ones(9), "[0,1]"), 1),
               contains("more than 8 dimensions: 9 in a"));
  REQUIRE_THAT(error_of(one("U8", ones(17), "[0,1]"), 1), contains("more than 16 dimensions in a"));
  std::string many = "{";
  for (int i = 0; i <= 100'000; ++i)
    many += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  many.back() = '}';
  REQUIRE_THAT(error_of(many, 0), contains("more than 100000 tensors"));
}

TEST_CASE("messages about foreign names hold no control characters") {
  const std::string message =
      error_of(R"({"\u001b[31m\u202e":{"dtype":"F32","shape":[1],"data_offsets":[0,1]}})", 1);
  REQUIRE_THAT(message, contains(R"(\x1b[31m\xe2\x80\xae has 1 bytes, needs 4)"));
  REQUIRE(message.find('\x1b') == std::string::npos);
}

TEST_CASE("truncated files and flipped header bits are survived") {
  const std::string golden = read_file(kGolden);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, golden.data(), 8);
  const std::string json = golden.substr(8, header_bytes);
  const uint64_t data_bytes = golden.size() - 8 - header_bytes;
  for (size_t length = 0; length < golden.size(); length += 7) {
    INFO("length " << length);
    REQUIRE_FALSE(error_of_bytes(golden.substr(0, length)).empty());
  }

  int accepted = 0;
  const auto accepts = [&](const std::string& header) {
    try {
      parse_safetensors_header(header, data_bytes);
      ++accepted;
    } catch (const Error&) {
    }
  };
  for (size_t length = 0; length < json.size() - 4; ++length) accepts(json.substr(0, length));
  REQUIRE(accepted == 0);
  for (size_t bit = 0; bit < 8 * json.size(); ++bit) {
    std::string flipped = json;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    accepts(flipped);
  }
  // Only a flip inside a name or the metadata gives another valid header.
  const size_t free_bytes = std::strlen("formatptstepsbiasemptyweightlabelsbrainhalfimagemask") +
                            std::strlen("odd \\\"name\\\"\\nxx");
  REQUIRE(accepted > 100);
  REQUIRE(accepted <= static_cast<int>(8 * free_bytes));
}

TEST_CASE("errors of the file system name the path and the reason") {
  TempDir dir;
  REQUIRE_THROWS_WITH(load_safetensors(dir / "none.safetensors"),
                      contains("[file] cannot open " + (dir / "none.safetensors").string() +
                               ": No such file or directory"));
  REQUIRE_THROWS_WITH(load_safetensors(dir.path()), contains("[file] not a regular file: "));
  REQUIRE(mkfifo((dir / "pipe").c_str(), 0600) == 0);
  REQUIRE_THROWS_WITH(load_safetensors(dir / "pipe"), contains("[file] not a regular file: "));
  REQUIRE_THROWS_WITH(save_safetensors(dir / "no" / "x.safetensors", {}),
                      contains("[file] cannot create "));
  write_file(dir / "bad.safetensors", "xxxx");
  REQUIRE_THROWS_WITH(load_safetensors(dir / "bad.safetensors"),
                      contains("[load_safetensors] " + (dir / "bad.safetensors").string() +
                               ": [safetensors] file is shorter than 8 bytes"));
}

TEST_CASE("the writer refuses what the reader would not read") {
  TempDir dir;
  const auto path = dir / "x.safetensors";
  const Tensor value = Tensor::scalar(1);
  REQUIRE_THROWS_WITH(save_safetensors(path, {{"__metadata__", value}}),
                      contains("no tensor may be called __metadata__"));
  REQUIRE_THROWS_WITH(save_safetensors(path, {{std::string(1025, 'x'), value}}),
                      contains("key is longer than 1024 bytes"));
  REQUIRE_THROWS_WITH(save_safetensors(path, {{"\xff", value}}), contains("not UTF-8: \\xff"));
  REQUIRE_THROWS_WITH(save_safetensors(path, {{"a", value}}, {{"k", "\xff"}}),
                      contains("not UTF-8: \\xff"));
  REQUIRE_THROWS_WITH(save_safetensors(path, {{"a", Tensor()}}), contains("undefined tensor: a"));
  REQUIRE_FALSE(std::filesystem::exists(path));
  SafetensorsHeader header;
  header.metadata["k"] = std::string(kMaxHeaderBytes + 1, 'v');
  REQUIRE_THROWS_WITH(format_safetensors_header(header), contains("longer than 100 MB"));
  header.metadata["k"].resize(kMaxHeaderBytes);  // with its quotes and braces just too long
  REQUIRE_THROWS_WITH(format_safetensors_header(header), contains("longer than 100 MB"));
}

TEST_CASE("saving replaces the old file as a whole and leaves nothing else") {
  TempDir dir;
  const auto path = dir / "w.safetensors";
  save_safetensors(path, {{"a", Tensor::arange(1000)}});
  SafetensorsFile old = load_safetensors(path);
  save_safetensors(path, {{"b", Tensor::scalar(2)}});
  REQUIRE(load_safetensors(path).tensors.contains("b"));
  REQUIRE_FALSE(load_safetensors(path).tensors.contains("a"));
  REQUIRE(old.tensors.at("a").to_vector<int64_t>()[999] == 999);

  // A folder of that name cannot be replaced: the error leaves no temporary file.
  std::filesystem::create_directory(dir / "taken");
  write_file(dir / "taken" / "file", "x");
  REQUIRE_THROWS_WITH(save_safetensors(dir / "taken", {}), contains("[file] cannot replace "));
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path()))
    ++files;
  REQUIRE(files == 2);
}

}  // namespace ditto
