// Text helpers that the apps share: the nearest name for a misspelt one, numbers for people, UTF-8,
// and escaping for HTML and SVG.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ditto::apps {

// Number of insertions, deletions, substitutions and swaps of neighbours that turn a into b (the
// optimal string alignment distance).
int edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `name`, or "" when none is near: at most one edit in three letters, or
// `name` is a dotted candidate's (or the candidate is a dotted name's) last part.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// "; did you mean --batch?" for a near candidate, else "". `prefix` stands before the candidate.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates,
                         std::string_view prefix = "");

std::string join(const std::vector<std::string>& parts, std::string_view separator);
// Parts between separators; "" has none.
std::vector<std::string> split(std::string_view text, char separator);

// "7 s", "1:05", "2:03:04" (h:mm:ss), "3 d 04:05". Negative and non-finite values read "--".
std::string duration_text(double seconds);
// "1,234,567"; non-finite values read "--".
std::string count_text(double count);
// "412 MB", "1.3 GB" (powers of 1000).
std::string bytes_text(int64_t bytes);
// A number as people write it: at most `digits` significant digits; "nan", "inf" as they are.
std::string number_text(double value, int digits = 4);
// A fraction in percent with two decimals, "93.21 %"; "--" for NaN.
std::string percent_text(double fraction);

bool is_utf8(std::string_view text);
// Columns on a terminal: code points, a simplification that East Asian wide characters break.
int display_width(std::string_view utf8);
// At most `width` columns, the last one an ellipsis when something was cut.
std::string shorten(std::string_view utf8, int width);

// Safe inside HTML and XML text and quoted attributes. Bytes that are not UTF-8 and control
// characters, which XML forbids, become U+FFFD.
std::string escape_markup(std::string_view text);

}  // namespace ditto::apps
