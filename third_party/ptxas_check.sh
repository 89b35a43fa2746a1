#!/usr/bin/env bash
# Runs nvcc (all arguments) and reads what ptxas -v says of its kernels: a register spill fails the compilation, and so
# does a stack frame outside f64 kernels (there the slow paths of the mathematical functions need one). Everything else
# that ptxas reports is swallowed unless DITTO_PTXAS_VERBOSE is set.
# Usage: ptxas_check.sh nvcc...         as CMAKE_CUDA_COMPILER_LAUNCHER
#        ptxas_check.sh --self-test     shows that the rules catch what they should
set -uo pipefail

# f32 kernels that may use a stack frame: sin and cos reduce large arguments by a table on the stack (Normal draws in
# f64 whatever it stores).
allowed_frames='math::(Sin|Cos)[,>]|::Normal>'

# Reads ptxas output, prints one line per violation. An f64 kernel is one with `double` among its template arguments, or,
# where it is no template, among its parameters: an f32 kernel may have sums in double as parameters.
violations() {
  c++filt | awk -v allowed="$allowed_frames" '
    function is_f64(name,    parameters) {
      parameters = match(name, />\(/) ? RSTART + 1 : 0
      return (parameters ? substr(name, 1, parameters - 1) : name) ~ /double/
    }
    /Compiling entry function/ { sub(/.*Compiling entry function ./, ""); sub(/. for .sm_[0-9a-z]*.$/, ""); kernel = $0 }
    /Function properties for/ { where = $0; sub(/.*Function properties for /, "", where) }
    /bytes stack frame/ {
      match($0, /[0-9]+ bytes stack frame/); frame = substr($0, RSTART, RLENGTH) + 0
      match($0, /[0-9]+ bytes spill stores/); stores = substr($0, RSTART, RLENGTH) + 0
      match($0, /[0-9]+ bytes spill loads/); loads = substr($0, RSTART, RLENGTH) + 0
      if (stores + loads > 0) print "spills " stores " + " loads " bytes: " kernel
      else if (frame > 0 && !is_f64(kernel) && kernel !~ allowed) print "stack frame of " frame " bytes: " kernel
    }'
}

if [[ ${1:-} == --self-test ]]; then
  report() {
    printf "ptxas info    : Compiling entry function '%s' for 'sm_90'\nptxas info    : Function properties for %s\n" "$1" "$1"
    printf '    %s bytes stack frame, %s bytes spill stores, %s bytes spill loads\n' "$2" "$3" "$4"
  }
  failed=0
  expect() {
    local found
    found=$(report "$1" "$2" "$3" "$4" | violations)
    [[ $found == "$5"* && (-n $5 || -z $found) ]] || { echo "self-test: $* gave '$found'"; failed=1; }
  }
  expect _Z6kernelIfEvPT_ 0 0 0 ''
  expect _Z6kernelIfEvPT_ 0 4 4 'spills 4 + 4 bytes: void kernel<float>'
  expect _Z6kernelIdEvPT_ 0 8 0 'spills 8 + 0 bytes: void kernel<double>'
  expect _Z6kernelIfEvPT_ 40 0 0 'stack frame of 40 bytes: void kernel<float>'
  expect _Z6kernelIdEvPT_ 40 0 0 ''
  expect _Z6kernelPd 40 0 0 ''
  expect _Z6kernelIfEvPT_d 40 0 0 'stack frame of 40 bytes: void kernel<float>'
  expect _Z6kernelIN5ditto4math3SinEfEvPT0_ 28 0 0 ''
  expect _Z6kernelIN5ditto4math4TanhEfEvPT0_ 28 0 0 'stack frame of 28 bytes: void kernel<ditto::math::Tanh, float>'
  ((failed == 0)) && echo "self-test: spills and stack frames are caught"
  exit $failed
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$@" 2>"$log"
status=$?
if [[ -n ${DITTO_PTXAS_VERBOSE:-} ]]; then
  c++filt <"$log" >&2
else
  grep -vE '^ptxas info|^ *[0-9]+ bytes stack frame' "$log" >&2
fi
if ((status == 0)); then
  found=$(violations <"$log")
  if [[ -n $found ]]; then
    echo "ptxas_check: $found" >&2
    exit 1
  fi
fi
exit $status
