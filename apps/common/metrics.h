// metrics.jsonl: one JSON object per event and line, the source of truth about a run while it is
// going and afterwards.
//
// Every line starts with "event" (its kind), "run" (its name in a comparison) and "time" (seconds
// since 1970). Non-finite numbers are the strings "NaN", "Infinity", "-Infinity" (json.h), so every
// line is plain JSON. A reader ignores events and fields that it does not know.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "apps/common/json.h"

namespace ditto::apps {

class MetricsWriter {
 public:
  // Opens `path` for appending. A last line without its end, left by a killed process, is cut off.
  explicit MetricsWriter(const std::filesystem::path& path);
  ~MetricsWriter();
  MetricsWriter(const MetricsWriter&) = delete;
  MetricsWriter& operator=(const MetricsWriter&) = delete;

  // Writes one line, handed to the system before this returns. `fields` is an object without the
  // keys event, run and time. Throws Error when it cannot be written (disk full).
  void write(std::string_view event, std::string_view run, const Json& fields);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

// The events of a file in order. An unfinished last line is left out; any other line that is not a
// JSON object is an Error with its line number.
std::vector<Json> read_metrics(const std::filesystem::path& path);

}  // namespace ditto::apps
