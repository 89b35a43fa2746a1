#!/usr/bin/env bash
# train_cifar as a user runs it: end to end on a little real data, then everything that must be refused, with the exit
# code and the words of the message. Usage: train_cifar_cli.sh PATH_OF_TRAIN_CIFAR. Exit status 77: no data, skipped.
set -euo pipefail
program=$1
recipe=$(cd "$(dirname "$0")/../../apps/configs" && pwd)/loss_transform_v1.json
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset DITTO_DATA

mkdir empty
if "$program" --dataset fashion-mnist --train-images 1280000 >message 2>&1; then
  echo "a subset larger than the data was accepted"; exit 1
elif grep -q 'Three ways to get data' message; then
  echo "SKIPPED: no FashionMNIST here; apt-get install dataset-fashion-mnist"; exit 77
fi

failures=0
# expect CODE WORDS ARGUMENTS...: runs the program, checks its exit code and that the output contains WORDS.
expect() {
  local code=$1 words=$2 status=0
  shift 2
  "$program" "$@" >output 2>&1 || status=$?
  if [[ $status != "$code" ]] || ! grep -qF -- "$words" output; then
    echo "FAILED: train_cifar $*"
    echo "  expected exit $code with: $words"
    echo "  got exit $status with: $(tail -n 5 output)"
    failures=$((failures + 1))
  fi
}
small=(--dataset fashion-mnist --train-images 320 --test-images 100 --model mlp --batch 32 --lr 0.05 --workers 1)

# The main job: two losses, a run directory with everything in it, weights that evaluate to the printed accuracy.
expect 0 "report: run/report.html" "${small[@]}" --compare cce,t-cce --epochs 2 --run-dir run
for file in config.json environment.json metrics.jsonl report.html error.svg cce.safetensors t-cce.safetensors; do
  [[ -s run/$file ]] || { echo "FAILED: run/$file is missing"; failures=$((failures + 1)); }
done
accuracy=$(grep -aoE 'cce: epoch 2.00 .*test accuracy [0-9.]+ %' run/log.txt | grep -oE '[0-9.]+ %$' | head -n 1)
expect 0 "accuracy $accuracy" eval --weights run/cce.safetensors --test-images 100 --dataset fashion-mnist
# With test-time views, and as a report.
expect 0 "TTA, mirror: 2 views" eval --weights run/cce.safetensors --test-images 100 --tta mirror --report evaluation
for file in report.html confusion_cce.svg calibration_cce.svg class_accuracy.svg; do
  [[ -s evaluation/$file ]] || { echo "FAILED: evaluation/$file is missing"; failures=$((failures + 1)); }
done
# Another image size than the data set's: the weights know it.
expect 0 "test accuracy" train --dataset fashion-mnist --model mlp --image-size 16 --train-images 200 --test-images 100 \
  --batch 50 --steps 20 --run-dir small
accuracy=$(grep -aoE 'cce: epoch .*test accuracy [0-9.]+ %' small/log.txt | grep -oE '[0-9.]+ %$' | tail -n 1)
expect 0 "accuracy $accuracy" eval --weights small/cce.safetensors --test-images 100 --dataset fashion-mnist
# Features first, without a classifier; then the classifier on them.
expect 0 "amcl" "${small[@]}" --loss amcl --steps 6 --run-dir heads
expect 0 "k-NN accuracy" pretrain "${small[@]}" --loss supcon --steps 5 --run-dir features
expect 2 "without a trained classifier" eval --weights features/supcon.safetensors --test-images 100
expect 2 "without a trained classifier" predict --weights features/supcon.safetensors --input empty
expect 0 "20 neighbours among 320" eval --weights features/supcon.safetensors --train-images 320 --test-images 100 --knn 20
expect 0 "test accuracy" linear "${small[@]}" --init-weights features/supcon.safetensors --steps 5 --run-dir linear
expect 2 "needs --init-weights" linear "${small[@]}"
# Trying everything once leaves nothing behind; the recipe for fine-tuning fits the options.
expect 0 "nothing was kept" "${small[@]}" --dry-run --run-dir dry
[[ ! -e dry ]] || { echo "FAILED: --dry-run left dry/"; failures=$((failures + 1)); }
expect 0 "dry run: t-cce" "${small[@]}" --config "$recipe" --dry-run --run-dir dry
expect 2 "leave out --resume" "${small[@]}" --dry-run --resume run
# Time per op and layer, on the terminal and as CSV.
expect 0 "Profile of 7 steps" "${small[@]}" --steps 10 --profile --run-dir profiled
for what in op,matmul, layer,; do
  grep -q "^$what" profiled/cce-profile.csv || { echo "FAILED: no $what in the profile"; failures=$((failures + 1)); }
done
expect 2 "cce does not depend on it" "${small[@]}" --sweep rho=0.1,1
expect 2 "did you mean mirror?" eval --weights run/cce.safetensors --tta mirorr
# Files: a grey 32 x 32 PNG, and one that is broken.
mkdir photographs
base64 -d >photographs/grey.png <<'PNG'
iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAABtklEQVR42n3QZ1eIARgG4NsISVLZSimyyQgNlEhWRioiDZJklXbIClmlVBqytQelQkbJ
ljYS0kRFexK95znH1+fD9QcuQFRqxOjJs+brrjbevMPhwHHvwKtRiQ+eZX0oqWr8I9J/CATy46erL1xhaLrN1vXIab/QsPi76a/zP1fWtnXrKy0DwZgp
szWXrNmwZaej+4lzQdei7zx8nl1YWt3U2Uti6CgIJszQWKRnZGZt53b0jP+l8Fv3nrwp+PKtrr272EBZJQimztFaqr/RcpfTQU+f4OsxSY9e5Hwsq2n+
23vAMIWJEMycq7Nynfn2vfs8zgZcjrh9PyPzXfH3+o4e/QaNHKsMgeqCZWtNtu52PnTSN+RGbPLjl7lF5T9b/vWRHK44SQWCeYtXrbewsd9/zOvClciE
1Kdv33/90fC7p/hguXHT1CDQXm6wyWqPy+FT5y/ejEtJe5X3qeJX6/8fMEf0A+aIfsAc0Q+YI/oBc0Q/YI7oB8wR/YA5oh8wR/QD5oh+wBzRD5gj+gFz
RD9gjugHzBH9gDmiHzBH9APmiH7AHNEPmCP6AXNEP2CO6AfMEf10AdhP7RB3Ni/wAAAAAElFTkSuQmCC
PNG
# A folder with one class teaches nothing.
mkdir -p single/{train,val}/grey
for i in {1..8}; do cp photographs/grey.png "single/train/grey/$i.png"; done
cp photographs/grey.png single/val/grey/1.png
expect 1 "at least two classes" --dataset folder --data-root single --image-size 32 --model mlp --batch 4 --steps 1 --run-dir one
expect 0 "1 images classified with mlp trained on fashion-mnist" predict --weights run/cce.safetensors --input photographs --top 3 --output p.csv
grep -q '^photographs/grey.png,[^,]*,[0-9.e-]*,[^,]*,[0-9.e-]*,[^,]*,[0-9.e-]*,$' p.csv || { echo "FAILED: p.csv: $(cat p.csv)"; failures=$((failures + 1)); }
echo "no picture" >photographs/broken.png
expect 1 "1 of 2 images could not be read" predict --weights run/cce.safetensors --input photographs --tta mirror,shift --output p.json
grep -q '"error": ".*broken.png' p.json || { echo "FAILED: p.json does not name the broken file"; failures=$((failures + 1)); }
expect 1 "no .jpg, .jpeg or .png files" predict --weights run/cce.safetensors --input empty
expect 1 "none.png" predict --weights run/cce.safetensors --input none.png
expect 2 "neither .csv nor .json" predict --weights run/cce.safetensors --input photographs --output p.txt
expect 2 "--input" predict --weights run/cce.safetensors
# The resolved configuration repeats the run to the byte.
expect 0 "report:" --config run/config.json --run-dir again
cmp run/cce.safetensors again/cce.safetensors || failures=$((failures + 1))
cmp run/t-cce.safetensors again/t-cce.safetensors || failures=$((failures + 1))
expect 0 "note: resnet40" --dataset fashion-mnist --train-images 64 --test-images 20 --model resnet40 --batch 32 --steps 1 --run-dir r40

# A sweep with seeds: a run, weights and a line of the table for each; a loss that ignores the option runs once.
expect 0 "points over cce" "${small[@]}" --compare cce,t-cce --sweep replicas=2,4 --seeds 1,2 --steps 5 --run-dir sweep
for name in cce-seed1 cce-seed2 t-cce-replicas{2,4}-seed{1,2}; do
  [[ -s sweep/$name.safetensors ]] || { echo "FAILED: sweep/$name.safetensors is missing"; failures=$((failures + 1)); }
  grep -q "^$name,.*,160,.*,completed$" sweep/sweep.csv || { echo "FAILED: sweep.csv lacks $name"; failures=$((failures + 1)); }
done
[[ -s sweep/accuracy_against_m.svg ]] || { echo "FAILED: no figure of the sweep"; failures=$((failures + 1)); }

# Refusals.
expect 2 "did you mean rho?" --sweep roh=1,2
expect 2 "equally many images" --sweep epochs=1,2
expect 2 "name=value,value" --sweep rho
expect 2 "did you mean --batch?" --bacth 64
expect 2 "did you mean rho?" --set roh=1
echo '{"epochz": 3}' >bad.json && expect 2 "epochs" --config bad.json
echo '{"epochs": "three"}' >bad.json && expect 2 "epochs" --config bad.json
echo '{"epochs": 3' >bad.json && expect 2 "bad.json:2:1" --config bad.json
expect 2 "none.json" --config none.json
expect 2 "t-ccee" "${small[@]}" --loss t-ccee
expect 2 "period" "${small[@]}" --loss ens-loss --loss-option period=0
expect 2 "k1=1e400" "${small[@]}" --loss tcl --loss-option k1=1e400
expect 2 "margin" "${small[@]}" --loss triplet-hard --loss-option margin=-1
expect 2 "temperature" "${small[@]}" --loss supcon --loss-option temperature=1e-300
expect 2 "gamma" "${small[@]}" --loss robust-contrastive --loss-option gamma=2
expect 2 "needs a --teacher" "${small[@]}" --loss dual-head-distillation
expect 2 "replicas 3" "${small[@]}" --loss t-cce --replicas 3
expect 2 "resnet21" "${small[@]}" --model resnet21
expect 2 "--weights" eval
expect 1 "Three ways to get data" --data-root empty
expect 1 "Three ways to get data" --data-root /no/such/folder
expect 1 "larger than the training set" "${small[@]}" --batch 640
expect 2 "not empty" "${small[@]}" --run-dir run
# A diverging run stops, names the step and the first bad tensor, and still leaves its report.
expect 1 "the first bad tensor is" "${small[@]}" --lr 1000 --momentum 0.99 --epochs 50 --schedule constant --run-dir nan
[[ -s nan/report.html ]] || { echo "FAILED: no report of the stopped run"; failures=$((failures + 1)); }
grep -q 'stopped: ' nan/metrics.jsonl || { echo "FAILED: metrics do not say that the run stopped"; failures=$((failures + 1)); }

# Damaged CIFAR files.
mkdir -p cifar/cifar-10-batches-bin
head -c 5000 /dev/zero >cifar/cifar-10-batches-bin/data_batch_1.bin
expect 1 "data_batch_1.bin" --dataset cifar-10 --data-root cifar
head -c 3073 /dev/zero | tr '\0' '\377' >cifar/cifar-10-batches-bin/data_batch_1.bin
cp cifar/cifar-10-batches-bin/data_batch_1.bin cifar/cifar-10-batches-bin/test_batch.bin
expect 1 "255" --dataset cifar-10 --data-root cifar

((failures == 0)) && echo "all command lines behaved"
exit $((failures > 0))
