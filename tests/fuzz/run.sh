#!/usr/bin/env bash
# Builds the fuzzers and lets each run for some CPU time under ASan and UBSan; a finding ends the script with its input.
# Usage: tests/fuzz/run.sh [SECONDS per target, 600] [targets: image annotation rle]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-600}
shift || true
(($#)) || set -- image annotation rle
cmake --preset fuzz
cmake --build --preset fuzz
for target; do
  found=build/fuzz/corpus/$target
  mkdir -p "$found"
  echo "=== $target, $seconds s"
  # What is new goes to the first folder; the committed corpus is only read.
  build/fuzz/tests/fuzz/harness/fuzz_"$target" -max_total_time="$seconds" -max_len=8192 -timeout=20 -rss_limit_mb=3000 \
    -print_final_stats=1 -artifact_prefix=build/fuzz/"$target"- "$found" "tests/fuzz/corpus/$target"
done
