#!/usr/bin/env bash
# Checks who includes whom (docs/design.md, layering): core <- kernels <- autograd <- nn <- losses, models;
# core <- kernels <- data; everything <- apps, tests. Kernels never see Tensor, headers never see fmt.
# Usage: layering_test.sh [ROOT]        checks a source tree (default: this one)
#        layering_test.sh --self-test   shows that every rule catches a violation
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folders=(core kernels autograd nn losses models data apps tests)

# Folders whose headers a file may include.
allowed_for() {
  case $1 in
    core/*) echo core ;;
    kernels/*) echo core kernels ;;
    autograd/*) echo core kernels autograd ;;
    nn/*) echo core kernels autograd nn ;;
    losses/*) echo core kernels autograd nn losses ;;
    models/detector/*) echo core kernels autograd nn losses models ;;
    models/*) echo core kernels autograd nn models ;;
    data/*) echo core kernels data ;;
    apps/*) echo core kernels autograd nn losses models data apps ;;
    tests/*) echo "${folders[*]}" ;;
  esac
}

# Prints one line per violation in the tree $1.
violations() {
  local root=$1 existing=() folder file line target
  for folder in "${folders[@]}"; do [[ -d $root/$folder ]] && existing+=("$folder"); done
  cd "$root"
  # file:line:#include "target"
  { grep -rnE '^[[:space:]]*#[[:space:]]*include' "${existing[@]}" --include='*.h' --include='*.cuh' \
    --include='*.cpp' --include='*.cu' || true; } | while IFS=: read -r file line target; do
    if [[ $file =~ \.(h|cuh|cu)$ && $target =~ [\<\"]fmt/ ]]; then
      echo "$file:$line: fmt belongs into .cpp files only (nvcc cannot compile it)"
    fi
    if [[ $target =~ \<(cuda|cublas|cudnn|nccl|cooperative) &&
      ! $file =~ (\.cuh?$|/cuda_[^/]*$|^tests/cuda_emulation/) ]]; then
      echo "$file:$line: CUDA headers belong into .cu, .cuh and cuda_* files"
    fi
    [[ $target =~ \"([^\"]+)\" ]] || continue
    target=${BASH_REMATCH[1]}
    folder=${target%%/*}
    if [[ ! -e $target ]]; then
      echo "$file:$line: \"$target\" is no path from the repository root"
    elif [[ " $(allowed_for "$file") " != *" $folder "* ]]; then
      echo "$file:$line: ${file%/*} may not include $folder (\"$target\")"
    elif [[ $file == kernels/* && $target =~ ^core/(tensor|serialize)\.h$ ]]; then
      echo "$file:$line: kernels see View, never Tensor (\"$target\")"
    fi
  done
}

self_test() {
  local tree failed=0
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' RETURN
  mkdir -p "$tree"/{core,kernels,autograd/ops,nn,losses,models/detector,data/transforms,apps/common,tests/core}
  touch "$tree"/{core/tensor,core/view,core/serialize,kernels/k,autograd/a,nn/n,losses/l,models/m,data/d,apps/common/c,tests/t}.h
  # expect FILE INCLUDE MESSAGE: the include in that file must give exactly that complaint (empty: none).
  expect() {
    printf '#pragma once\n%s\n' "$2" >"$tree/$1"
    local found
    found=$(violations "$tree")
    if [[ -z $3 && -n $found ]] || [[ -n $3 && $found != "$1:2: $3"* ]]; then
      echo "self-test: $1 with $2 gave '${found}', not '${3:-no complaint}'"
      failed=1
    fi
    rm "$tree/$1"
  }
  expect core/x.h '#include "kernels/k.h"' 'core may not include kernels'
  expect core/x.cpp '#include "apps/common/c.h"' 'core may not include apps'
  expect kernels/x.cpp '#include "autograd/a.h"' 'kernels may not include autograd'
  expect kernels/x.h '#include "core/tensor.h"' 'kernels see View, never Tensor'
  expect kernels/x.cu '  #  include "core/serialize.h"' 'kernels see View, never Tensor'
  expect kernels/x.h '#include "core/view.h"' ''
  expect autograd/ops/x.cpp '#include "nn/n.h"' 'autograd/ops may not include nn'
  expect nn/x.h '#include "losses/l.h"' 'nn may not include losses'
  expect losses/x.h '#include "models/m.h"' 'losses may not include models'
  expect models/x.cpp '#include "data/d.h"' 'models may not include data'
  expect models/x.cpp '#include "losses/l.h"' 'models may not include losses'
  expect models/detector/x.cpp '#include "losses/l.h"' ''
  expect models/detector/x.cpp '#include "data/d.h"' 'models/detector may not include data'
  expect data/transforms/x.h '#include "autograd/a.h"' 'data/transforms may not include autograd'
  expect data/x.h '#include "nn/n.h"' 'data may not include nn'
  expect apps/x.cpp '#include "tests/t.h"' 'apps may not include tests'
  expect tests/core/x_test.cpp '#include "apps/common/c.h"' ''
  expect nn/x.h '#include "n.h"' '"n.h" is no path from the repository root'
  expect nn/x.h '#include <fmt/format.h>' 'fmt belongs into .cpp files only'
  expect kernels/x.cu '#include "fmt/core.h"' 'fmt belongs into .cpp files only'
  expect nn/x.cpp '#include <fmt/format.h>' ''
  expect core/x.h '#include <cuda_runtime_api.h>' 'CUDA headers belong into'
  expect kernels/x.cpp '#include <cudnn.h>' 'CUDA headers belong into'
  expect core/cuda_x.h '#include <cuda_runtime_api.h>' ''
  expect kernels/x.cu '#include <cuda_fp16.h>' ''
  expect nn/x.cpp '// #include "losses/l.h"' ''
  ((failed == 0)) && echo "self-test: all rules catch their violations"
  return $failed
}

if [[ ${1:-} == --self-test ]]; then
  self_test
  exit
fi
found=$(violations "${1:-$here}")
if [[ -n $found ]]; then
  echo "$found"
  exit 1
fi
echo "layering: no violations"
