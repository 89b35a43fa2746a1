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
cpu_seconds() { awk '{print int(($16 + $17) / 100)}' /proc/$$/stat; }  # of what this script has run
for target; do
  found=build/fuzz/corpus/$target
  mkdir -p "$found"
  # The fuzzer counts by the clock: on a busy machine it is started again until it has had its CPU time. What is new
  # goes to the first folder; the committed corpus is only read.
  begin=$(cpu_seconds) spent=0
  while ((spent < seconds)); do
    build/fuzz/tests/fuzz/harness/fuzz_"$target" -max_total_time="$((seconds - spent))" -max_len=8192 -timeout=20 \
      -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix=build/fuzz/"$target"- "$found" "tests/fuzz/corpus/$target"
    spent=$(($(cpu_seconds) - begin))
  done
  echo "=== $target: $spent CPU s at $(git describe --always --dirty), nothing found"
done
