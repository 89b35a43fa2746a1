#!/usr/bin/env bash
# Installs what ditto needs from Debian or Ubuntu packages: only what is missing, so a second run does nothing.
# Usage: third_party/install.sh [--ci] [--check]
#   --ci     also what .ci/run needs (clang-format, llvm-addr2line, xz and numpy)
#   --check  install nothing; exit 1 when something is missing
# Works as root or through sudo. third_party/README.md lists the packages and what each is for.
set -euo pipefail

required=(git g++ cmake ninja-build libfmt-dev nlohmann-json3-dev libdnnl-dev ocl-icd-opencl-dev libpng-dev zlib1g-dev
  libturbojpeg0-dev libspng-dev libdeflate-dev libstb-dev libcli11-dev libeigen3-dev catch2)
# Without these everything still builds: slower rebuilds, and no data set found by itself.
optional=(ccache dataset-fashion-mnist)
check_only=0
for argument in "$@"; do
  case $argument in
    --ci) required+=(clang-format llvm xz-utils python3-numpy) ;;
    --check) check_only=1 ;;
    *)
      echo "usage: third_party/install.sh [--ci] [--check]" >&2
      exit 2
      ;;
  esac
done

say() { echo "install.sh: $*"; }
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }
missing_of() {
  local package
  for package in "$@"; do installed "$package" || echo "$package"; done
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "this is no Debian or Ubuntu system (no apt-get). Please install, by your own package manager:" >&2
  say "  a C++20 compiler (g++ >= 12 or clang >= 14), CMake >= 3.25, ninja, git, and the development files of" >&2
  say "  fmt, nlohmann_json >= 3.11, oneDNN (dnnl) 2.x, libpng, zlib, libjpeg-turbo, libspng, libdeflate, stb_image, CLI11, Eigen, Catch2 (2.13 or 3)" >&2
  exit 1
fi

mapfile -t missing < <(missing_of "${required[@]}")
mapfile -t wanted < <(missing_of "${optional[@]}")
if ((${#missing[@]} + ${#wanted[@]} == 0)); then
  say "all packages are installed"
  exit 0
fi
say "missing: ${missing[*]:-none}; optional: ${wanted[*]:-none}"
if ((check_only)); then
  ((${#missing[@]} == 0))
  exit
fi

root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null && ((${#missing[@]} == 0)); then
    say "only optional packages are missing and this is not root: going on without ${wanted[*]}"
    exit 0
  fi
  if ! command -v sudo >/dev/null; then
    say "needs root: run as root  apt-get install ${missing[*]} ${wanted[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
say "apt-get update"
# A single dead mirror is no reason to give up: the installation below decides.
apt update >"$log" 2>&1 || say "apt-get update had errors: $(grep -E '^(E|W|Err)' "$log" | head -n 1)"
if ((${#missing[@]})); then
  say "apt-get install ${missing[*]}"
  if ! apt install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    say "could not install: ${missing[*]}" >&2
    say "is there a network, and does /etc/apt/sources.list name a mirror? (Debian 12 has all of these packages)" >&2
    exit 1
  fi
fi
for package in "${wanted[@]}"; do
  say "apt-get install $package (optional)"
  apt install -y --no-install-recommends "$package" >"$log" 2>&1 || say "  not available here; going on without it"
done
say "done"
