// Entry points that take any bytes, for fuzzers and for the replay of their corpus: what a file
// from anywhere can reach. They return when the bytes were read or refused by our Error; anything
// else (a crash, another exception, a result that breaks its own rules) is a finding.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ditto::fuzz {

using Target = void (*)(std::span<const uint8_t> bytes);
struct NamedTarget {
  std::string name;  // also of its folder in tests/fuzz/corpus
  Target run;
};

// image: a JPEG or PNG is decoded, turned and augmented; annotation: a Penn-Fudan text or mask;
// rle: COCO's compressed masks, and what is done with masks.
const std::vector<NamedTarget>& targets();

}  // namespace ditto::fuzz
