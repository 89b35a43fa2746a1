// Errors: `check(ok, "[op] what is wrong:", values...)` throws ditto::Error with the text, the
// values and file:line.
//
// The arguments are turned into text only when the check fails. This header stays free of fmt,
// because .cu files include it (fmt 9.1 does not compile under nvcc with C++20).
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ditto {

// The one exception type of the library. what() reads "[op] message: values (file:line)".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A message that remembers where it was written; converts implicitly from a string, so call sites
// stay plain.
struct Message {
  std::string text;
  const char* file;
  int line;

  Message(const char* text, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : text(text), file(file), line(line) {}
  Message(std::string text, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : text(std::move(text)), file(file), line(line) {}
};

// Text of a value for error messages. Types with an ADL `to_string` (Shape, Dtype, Device...) work
// as they are.
inline std::string error_text(std::string_view value) { return std::string(value); }
inline std::string error_text(const char* value) { return value; }
inline std::string error_text(char* value) { return value; }  // strerror
inline std::string error_text(const std::string& value) { return value; }
inline std::string error_text(bool value) { return value ? "true" : "false"; }
std::string error_text(double value);
inline std::string error_text(float value) { return error_text(static_cast<double>(value)); }
template <class T>
std::string error_text(const T& value) {
  using std::to_string;
  return to_string(value);
}

// Text that came from a file or a user, fit for a message: everything but printable ASCII as \xNN
// (terminals obey control characters), cut after 200 bytes.
std::string printable(std::string_view text);

[[noreturn]] void throw_error(const Message& message, const std::vector<std::string>& values);

// Throws Error unconditionally.
template <class... Values>
[[noreturn]] void fail(const Message& message, const Values&... values) {
  throw_error(message, {error_text(values)...});
}

// The literal overload builds no std::string while all is well: checks stand on hot paths.
struct Literal {
  const char* text;
  const char* file;
  int line;
  constexpr Literal(const char* text, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE())
      : text(text), file(file), line(line) {}
};

// Throws Error when `ok` is false.
template <class... Values>
inline void check(bool ok, Literal message, const Values&... values) {
  if (!ok) [[unlikely]]
    throw_error(Message(message.text, message.file, message.line), {error_text(values)...});
}

}  // namespace ditto
