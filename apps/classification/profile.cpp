#include "apps/classification/profile.h"

#include <fmt/format.h>

#include "apps/common/table.h"
#include "core/error.h"

namespace ditto::apps {
namespace {

Table time_table(const std::string& what, const std::vector<ProfileRow>& rows, double total,
                 int64_t steps, size_t most) {
  Table table;
  table.columns = {
      {what}, {"calls", true}, {"forward ms", true}, {"backward ms", true}, {"share", true}};
  const auto ms = [&](double seconds) {
    return fmt::format("{:.3f}", 1e3 * seconds / double(steps));
  };
  const auto add = [&](const ProfileRow& row) {
    table.add_row({row.name, fmt::format("{:.4g}", double(row.calls) / double(steps)),
                   ms(row.forward), ms(row.backward),
                   fmt::format("{:.1f} %", 100 * row.total() / total)});
  };
  ProfileRow rest{.name = "the rest"};
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i < most) {
      add(rows[i]);
    } else {
      rest.calls += rows[i].calls;
      rest.forward += rows[i].forward;
      rest.backward += rows[i].backward;
    }
  }
  if (rows.size() > most) add(rest);
  return table;
}

}  // namespace

std::string profile_text(const Profiler& profiler, int64_t steps, size_t layers) {
  check(steps > 0, "[profile] no step was measured");
  const auto ops = profiler.by_op();
  const double total = profiler.total();
  return fmt::format("Profile of {} steps, {:.2f} ms each inside ops; per step:\n{}\n{}", steps,
                     1e3 * total / double(steps),
                     render_text(time_table("op", ops, total, steps, ops.size())),
                     render_text(time_table("layer", profiler.by_layer(), total, steps, layers)));
}

std::string profile_csv(const Profiler& profiler, int64_t steps) {
  check(steps > 0, "[profile] no step was measured");
  std::string text = "kind,name,calls,forward_ms,backward_ms\n";
  const auto add = [&](const char* kind, const std::vector<ProfileRow>& rows) {
    for (const ProfileRow& row : rows)
      text += fmt::format("{},{},{:.6g},{:.6g},{:.6g}\n", kind, row.name,
                          double(row.calls) / double(steps), 1e3 * row.forward / double(steps),
                          1e3 * row.backward / double(steps));
  };
  add("op", profiler.by_op());
  add("layer", profiler.by_layer());
  return text;
}

}  // namespace ditto::apps
