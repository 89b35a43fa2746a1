// Failpoints: tests kill the process, or fail a call, at an exact write, fsync, rename, ... of the
// file layer, to prove that nothing is lost there.
//
// The environment variable DITTO_FAILPOINT is read once, at the first call; unset, each call costs
// one test of a constant. Its value is CALL:N:ACTION: at the N-th call (from 1) of kind CALL
// (write, fsync, rename, mkdir, remove, or any) do ACTION:
//   kill     SIGKILL before the call; a write has then written its first half
//   enospc   the call fails as on a full disk; a write has then written its first half
//   eio      the same with an input/output error
// "enospc" and "eio" with N+ instead of N fail this call and all that follow. The value `count`
// writes one line with the number of calls of each kind to standard error when the process ends.
#pragma once

namespace ditto {

enum class FileCall { Write, Sync, Rename, MakeFolder, Remove };

class Failpoint {
 public:
  // To be called before each system call of the kind. Returns 0, or the errno value that the call
  // shall fail with.
  static int at(FileCall call) { return armed() ? hit(call) : 0; }
  // Will the next write be hit? Then its first half is written beforehand.
  static bool tears_next_write() { return armed() && next_write_is_hit(); }

 private:
  static bool armed() {
    static const bool on = parse();
    return on;
  }
  static bool parse();
  static int hit(FileCall call);
  static bool next_write_is_hit();
};

}  // namespace ditto
