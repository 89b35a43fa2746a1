#include "core/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

#include "core/error.h"

namespace ditto {
namespace {

constexpr size_t kMaxName = 1024, kMaxEntries = 100'000, kMaxRank = 16;
constexpr std::string_view kMetadata = "__metadata__";

struct FileDtype {
  std::string_view name;
  uint64_t bits;
  std::optional<Dtype> dtype;  // empty: part of the format, but not of ditto
};
constexpr std::array kDtypes{FileDtype{"BOOL", 8, Dtype::Bool},  FileDtype{"F4", 4, {}},
                             FileDtype{"F6_E2M3", 6, {}},        FileDtype{"F6_E3M2", 6, {}},
                             FileDtype{"U8", 8, Dtype::U8},      FileDtype{"I8", 8, {}},
                             FileDtype{"F8_E5M2", 8, {}},        FileDtype{"F8_E4M3", 8, {}},
                             FileDtype{"F8_E8M0", 8, {}},        FileDtype{"F8_E4M3FNUZ", 8, {}},
                             FileDtype{"F8_E5M2FNUZ", 8, {}},    FileDtype{"I16", 16, {}},
                             FileDtype{"U16", 16, {}},           FileDtype{"F16", 16, Dtype::F16},
                             FileDtype{"BF16", 16, Dtype::BF16}, FileDtype{"I32", 32, Dtype::I32},
                             FileDtype{"U32", 32, {}},           FileDtype{"F32", 32, Dtype::F32},
                             FileDtype{"C64", 64, {}},           FileDtype{"F64", 64, Dtype::F64},
                             FileDtype{"I64", 64, Dtype::I64},   FileDtype{"U64", 64, {}}};

const FileDtype& file_dtype(std::string_view name) {
  auto found = std::ranges::find(kDtypes, name, &FileDtype::name);
  check(found != kDtypes.end(), "[safetensors] unknown dtype:", printable(name));
  return *found;
}

// Receives the parser's events and accepts only the one nesting that the format knows; that also
// bounds the depth at 3.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader header;

  bool start_object(size_t) override {
    switch (state_) {
      case State::Start:
        return enter(State::Name);
      case State::MetadataStart:
        return enter(State::MetadataKey);
      case State::EntryStart:
        return enter(State::Field);
      default:
        unexpected("an object");
    }
  }
  bool end_object() override {
    switch (state_) {
      case State::Name:
        return enter(State::End);
      case State::MetadataKey:
        return enter(State::Name);
      default:  // the parser closes an object only where a key could stand
        check(fields_ == kAllFields,
              "[safetensors] needs dtype, shape and data_offsets:", printable(entry().name));
        return enter(State::Name);
    }
  }
  bool key(std::string& key) override {
    check(key.size() <= kMaxName, "[safetensors] key is longer than 1024 bytes:", printable(key));
    switch (state_) {
      case State::Name:
        check(names_.insert(key).second, "[safetensors] duplicate key:", printable(key));
        if (key == kMetadata) return enter(State::MetadataStart);
        check(header.tensors.size() < kMaxEntries, "[safetensors] more than 100000 tensors");
        header.tensors.emplace_back().name = key;
        fields_ = 0;
        return enter(State::EntryStart);
      case State::MetadataKey:
        check(!header.metadata.contains(key),
              "[safetensors] duplicate key in __metadata__:", printable(key));
        check(header.metadata.size() < kMaxEntries, "[safetensors] more than 100000 metadata keys");
        metadata_key_ = key;
        return enter(State::MetadataValue);
      default:
        if (key == "dtype") return field(kDtype, State::Dtype);
        if (key == "shape") return field(kShape, State::ShapeStart);
        if (key == "data_offsets") return field(kOffsets, State::OffsetsStart);
        fail("[safetensors] unknown field:", printable(key), "in", printable(entry().name));
    }
  }
  bool string(std::string& text) override {
    if (state_ == State::MetadataValue) {
      header.metadata[metadata_key_] = text;
      return enter(State::MetadataKey);
    }
    if (state_ != State::Dtype) unexpected("a string");
    entry().dtype = file_dtype(text).name;
    return enter(State::Field);
  }
  bool start_array(size_t) override {
    if (state_ == State::ShapeStart) return enter(State::Shape);
    if (state_ == State::OffsetsStart) return enter(State::Offsets);
    unexpected("an array");
  }
  bool end_array() override {
    check(state_ == State::Shape || offsets_ == 2,
          "[safetensors] data_offsets needs two numbers:", printable(entry().name));
    return enter(State::Field);
  }
  bool number_unsigned(uint64_t value) override {
    if (state_ == State::Shape) {
      entry().shape.push_back(value);
      check(entry().shape.size() <= kMaxRank, "[safetensors] more than 16 dimensions in",
            printable(entry().name));
      return true;
    }
    if (state_ != State::Offsets) unexpected("a number");
    check(offsets_ < 2, "[safetensors] data_offsets needs two numbers:", printable(entry().name));
    (offsets_++ == 0 ? entry().begin : entry().end) = value;
    return true;
  }
  // Negative, fractional and larger than 64 bits: no size, no offset.
  bool number_integer(int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override {
    unexpected("a number that is no unsigned 64-bit integer");
  }
  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool binary(nlohmann::json::binary_t&) override { unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    fail("[safetensors] header is not valid JSON at byte", position,
         "(" + printable(error.what()) + ")");
  }

 private:
  enum class State {
    Start,
    Name,
    End,
    MetadataStart,
    MetadataKey,
    MetadataValue,
    EntryStart,
    Field,
    Dtype,
    ShapeStart,
    Shape,
    OffsetsStart,
    Offsets
  };
  static constexpr unsigned kDtype = 1, kShape = 2, kOffsets = 4, kAllFields = 7;

  bool enter(State next) {
    state_ = next;
    return true;
  }
  bool field(unsigned bit, State next) {
    check((fields_ & bit) == 0, "[safetensors] duplicate field in", printable(entry().name));
    fields_ |= bit;
    offsets_ = 0;
    return enter(next);
  }
  TensorEntry& entry() { return header.tensors.back(); }
  [[noreturn]] void unexpected(const char* what) {
    const bool in_metadata = state_ == State::MetadataStart || state_ == State::MetadataValue;
    const std::string where = in_metadata              ? "__metadata__ (maps strings to strings)"
                              : state_ == State::Start ? "the header (must be an object)"
                                                       : "tensor " + printable(entry().name);
    fail("[safetensors] did not expect", what, "in", where);
  }

  State state_ = State::Start;
  std::set<std::string> names_;
  std::string metadata_key_;
  unsigned fields_ = 0;
  int offsets_ = 0;
};

// Bytes of the entry's shape and dtype.
uint64_t expected_bytes(const TensorEntry& entry) {
  uint64_t bits = file_dtype(entry.dtype).bits, real_bits = bits;
  bool overflow = false;
  for (uint64_t size : entry.shape) {
    // Zeros count as ones in the overflow check, so that the strides are safe, too.
    overflow |= __builtin_mul_overflow(bits, std::max<uint64_t>(size, 1), &bits);
    real_bits *= size;
  }
  check(!overflow, "[safetensors] shape overflows 64 bits:", printable(entry.name));
  check(real_bits % 8 == 0, "[safetensors] does not fill whole bytes:", printable(entry.name));
  return real_bits / 8;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes) {
  check(json.starts_with('{'), "[safetensors] header does not begin with '{'");
  const size_t last = json.find_last_not_of(' ');
  check(json[last] == '}', "[safetensors] header does not end with '}' and spaces");
  // The parser would take a NUL for the end and ignore what follows.
  check(json.find('\0') == json.npos, "[safetensors] header holds a NUL byte");

  HeaderEvents events;
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
  std::vector<TensorEntry>& tensors = events.header.tensors;
  std::ranges::sort(tensors, [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t position = 0;
  for (const TensorEntry& entry : tensors) {
    check(entry.begin == position && entry.end >= entry.begin,
          "[safetensors] data_offsets leave a hole, overlap or run backwards:",
          printable(entry.name), entry.begin, entry.end, "after byte", position);
    check(expected_bytes(entry) == entry.end - entry.begin,
          "[safetensors] data_offsets do not fit shape and dtype:", printable(entry.name), "has",
          entry.end - entry.begin, "bytes, needs", expected_bytes(entry));
    position = entry.end;
  }
  check(position <= data_bytes, "[safetensors] file is truncated: the tensors need", position,
        "bytes, the file has", data_bytes);
  check(position == data_bytes,
        "[safetensors] bytes after the last tensor:", data_bytes - position);
  return std::move(events.header);
}

std::string format_safetensors_header(const SafetensorsHeader& header) {
  const auto check_length = [](size_t bytes) {
    check(bytes <= kMaxHeaderBytes, "[safetensors] header is longer than 100 MB:", bytes);
  };
  const auto quoted = [&](const std::string& text) {
    check_length(text.size());  // before the work
    try {
      return nlohmann::json(text).dump();
    } catch (const nlohmann::json::exception&) {
      fail("[safetensors] not UTF-8:", printable(text));
    }
  };
  const auto quoted_key = [&](const std::string& key) {
    check(key.size() <= kMaxName, "[safetensors] key is longer than 1024 bytes:", printable(key));
    return quoted(key);
  };
  check(header.tensors.size() <= kMaxEntries,
        "[safetensors] more than 100000 tensors:", header.tensors.size());
  std::vector<std::string> items;
  for (const auto& [key, value] : header.metadata)
    items.push_back(quoted_key(key) + ":" + quoted(value));
  if (!items.empty()) items = {fmt::format("\"__metadata__\":{{{}}}", fmt::join(items, ","))};
  for (const TensorEntry& entry : header.tensors) {
    check(entry.name != kMetadata, "[safetensors] no tensor may be called __metadata__");
    items.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                quoted_key(entry.name), entry.dtype, fmt::join(entry.shape, ","),
                                entry.begin, entry.end));
  }
  std::string text = fmt::format("{{{}}}", fmt::join(items, ","));
  text.resize((text.size() + 7) / 8 * 8, ' ');
  check_length(text.size());
  return text;
}

std::string safetensors_name(Dtype dtype) {
  for (const FileDtype& known : kDtypes)
    if (known.dtype == dtype) return std::string(known.name);
  fail("[safetensors] no name for dtype", dtype);
}

Dtype dtype_of_safetensors(std::string_view name) {
  const FileDtype& known = file_dtype(name);
  check(known.dtype.has_value(), "[safetensors] unsupported dtype:", name);
  return *known.dtype;
}

}  // namespace ditto
