#!/usr/bin/env bash
# Everything from a fresh machine to a trained network: installs what is missing, builds, trains a ResNet-20 twice (with
# cross-entropy and with LossTransform), and writes a report. Extra arguments go to train_cifar and win over the defaults
# below, e.g.  apps/quickstart.sh --epochs 5 --train-images 0
#   --data-root DIR or DITTO_DATA   a folder with cifar-10-batches-bin: CIFAR-10 instead of FashionMNIST
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/third_party/install.sh"
(cd "$root" && cmake --preset release >/dev/null && cmake --build --preset release --target train_cifar)

# 10,000 images and 4 epochs: a few minutes on two cores. Both losses see the same number of images.
exec "$root/build/release/apps/train_cifar" --compare cce,t-cce --train-images 10000 --epochs 4 \
  --schedule onecycle --lr 0.1 "$@"
