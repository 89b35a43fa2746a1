#!/usr/bin/env bash
# Everything from a fresh machine to test results: installs missing packages, builds, runs ctest.
# Usage: tests/run.sh [ctest arguments]      e.g. tests/run.sh -R core/ --verbose
#   DITTO_PRESET=debug tests/run.sh          another preset of CMakePresets.json (default: release)
#   DITTO_DATA=/folder/with/data-sets        lets the tests on real data run, too
# Exit status: 0 when the build works and no test fails; skipped tests are listed with their reasons.
set -euo pipefail
[[ -z ${DITTO_DATA:-} ]] || export DITTO_DATA=$(realpath -m "$DITTO_DATA")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${DITTO_PRESET:-release}

third_party/install.sh
cmake --preset "$preset"
cmake --build --preset "$preset"

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
ctest --preset "$preset" "$@" | tee "$output" || status=$?

# ctest shows which tests were skipped, its log also why. Then its verdict once more, as the last line.
echo
grep -ah '^SKIPPED: ' "build/$preset/Testing/Temporary/LastTest.log" || echo "no test was skipped"
grep -E '^[0-9]+% tests passed' "$output" || echo "ctest gave no summary"
exit "$status"
