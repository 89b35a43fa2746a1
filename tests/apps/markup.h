// A small checker for XML and HTML that the apps write: tags balance, attributes are quoted, no
// stray angle brackets or ampersands.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

namespace ditto::testing {

// "" for well-formed text, else what is wrong. HTML's <meta> and <img> need no end tag; <style>
// content is skipped.
inline std::string markup_problem(std::string_view text) {
  std::vector<std::string> open;
  size_t i = 0;
  while (i < text.size()) {
    if (text[i] == '>') return "stray >";
    if (text[i] == '&') {
      const size_t end = text.find(';', i);
      if (end == std::string_view::npos || end - i > 8) return "stray &";
      i = end + 1;
      continue;
    }
    if (text[i] != '<') {
      ++i;
      continue;
    }
    const size_t begin = ++i;
    // To the end of the tag, over quoted attribute values.
    char quote = 0;
    while (i < text.size() && (quote != 0 || text[i] != '>')) {
      if (quote != 0 && text[i] == quote)
        quote = 0;
      else if (quote == 0 && text[i] == '"')
        quote = text[i];
      else if (text[i] == '<')
        return "< inside a tag: " + std::string(text.substr(begin, 40));
      else if (quote == 0 && text[i] == '=' && (i + 1 >= text.size() || text[i + 1] != '"'))
        return "attribute without quotes: " + std::string(text.substr(begin, 40));
      ++i;
    }
    if (i == text.size()) return "tag without end";
    const std::string_view tag = text.substr(begin, i++ - begin);
    if (tag.empty() || tag[0] == '!') continue;
    const bool closing = tag[0] == '/';
    const size_t name_begin = closing ? 1 : 0;
    size_t name_end = name_begin;
    while (name_end < tag.size() && std::isalnum(static_cast<unsigned char>(tag[name_end])))
      ++name_end;
    const std::string name(tag.substr(name_begin, name_end - name_begin));
    if (name.empty()) return "tag without name";
    if (closing) {
      if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
      open.pop_back();
    } else if (tag.back() != '/' && name != "meta" && name != "img") {
      open.push_back(name);
      if (name == "style") {
        i = text.find("</style>", i);
        if (i == std::string_view::npos) return "<style> without end";
      }
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

inline size_t count(std::string_view text, std::string_view part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace ditto::testing
