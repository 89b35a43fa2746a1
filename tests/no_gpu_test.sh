#!/usr/bin/env bash
# A train_cifar that is linked with the real CUDA libraries, on a machine without a GPU: `auto` says which device it
# looked for and what the driver answered, and trains on the CPU; an explicit `cuda` is an error with the same words.
# Usage: no_gpu_test.sh PROGRAM   exit status 77: there is a GPU here, or the data set is missing
set -euo pipefail
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "no_gpu_test: $1"; sed 's/^/  /' out; exit 1; }

"$program" --version >out || fail "--version failed"
train=("$program" train --dataset fashion-mnist --model mlp --train-images 64 --test-images 32 --batch 16 --steps 2 --threads 1)
if "${train[@]}" --device cuda --run-dir a >out 2>&1; then
  echo "no_gpu_test: SKIPPED, there is a CUDA device"
  exit 77
fi
grep -q 'fashion-mnist.*not found\|no such file\|cannot find' out && { echo "no_gpu_test: SKIPPED, no FashionMNIST"; exit 77; }
grep -q 'looked for cuda:0, the CUDA driver answered: cudaError' out || fail "--device cuda does not say what it looked for"
"${train[@]}" --device cuda:3 --run-dir b >out 2>&1 && fail "--device cuda:3 trained"
grep -q 'looked for cuda:3' out || fail "--device cuda:3 is not named"
"${train[@]}" --device auto --run-dir c >out 2>&1 || fail "--device auto failed"
grep -q 'looked for cuda:0, the CUDA driver answered: cudaError.*; running on the CPU' out || fail "--device auto is silent"
grep -q '"device": "cpu"' c/config.json || fail "config.json does not name the device that was used"
"${train[@]}" --device cpu --run-dir d >out 2>&1 || fail "--device cpu failed"
grep -q 'looked for' out && fail "--device cpu looks for a device"
echo "no_gpu_test: without a GPU the program says so and runs on the CPU"
