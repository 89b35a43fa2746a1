#!/usr/bin/env python3
"""Pairs ditto's data pipelines with torchvision v2 and albumentations, alternating, on one core; prints ratios.

    venv/bin/pip install torch torchvision albumentations
    venv/bin/python tests/reference/bench_data.py --bench build/release/apps/bench --data-root ~/data --rounds 5

CIFAR: crop with 4 pixels of padding, flip, cutout of 8 x 8, normalisation, drawn for every image by itself.
Penn-Fudan: the photograph is decoded from its file, then scale jitter (0.8 to 1.25) on 512 x 512, flip, crop, boxes
and masks, normalisation. ditto reads all masks when the data set is opened, as run lengths; of torchvision there are
two programs: "tutorial" decodes the mask file of every image and splits it into objects (as the tutorial for this data
set does), "memory" has all masks as tensors in memory, as albumentations has them here. Each round runs every program in
a process of its own with one thread; a sample is one pass over the images, in CPU seconds; the best of a process
counts, and ratios are taken within a round. Not equal: torchvision resizes bilinear with antialiasing as ditto does,
albumentations (OpenCV) without.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import time

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
SIDE, IMAGES = 512, 64


def timed(work, repeats):
    samples = []
    for _ in range(repeats + 1):
        start = time.process_time()
        rows = work()
        samples.append((time.process_time() - start) / rows)
    return 1 / min(samples[1:])


def cifar_torchvision(args):
    import torch
    from torchvision.transforms import v2
    torch.set_num_threads(1)
    images = torch.randint(0, 256, (2000, 3, 32, 32), dtype=torch.uint8)
    pipeline = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(),
                           v2.RandomErasing(p=1, scale=(1 / 16, 1 / 16), ratio=(1, 1)),
                           v2.ToDtype(torch.float32, scale=True), v2.Normalize(CIFAR_MEAN, CIFAR_STD)])

    def work():
        out = torch.empty(128, 3, 32, 32)
        for i, image in enumerate(images):
            out[i % 128] = pipeline(image)
        return len(images)

    return work


def cifar_albumentations(args):
    import albumentations as A
    import cv2
    import numpy as np
    cv2.setNumThreads(0)
    images = np.random.randint(0, 256, (2000, 32, 32, 3), dtype=np.uint8)
    pipeline = A.Compose([A.PadIfNeeded(40, 40, border_mode=cv2.BORDER_CONSTANT), A.RandomCrop(32, 32),
                          A.HorizontalFlip(), A.CoarseDropout((1, 1), (8, 8), (8, 8), p=1),
                          A.Normalize(CIFAR_MEAN, CIFAR_STD)])

    def work():
        out = np.empty((128, 32, 32, 3), np.float32)
        for i, image in enumerate(images):
            out[i % 128] = pipeline(image=image)["image"]
        return len(images)

    return work


def files(root):
    folder = root if os.path.isdir(os.path.join(root, "PNGImages")) else os.path.join(root, "PennFudanPed")
    images = sorted(glob.glob(os.path.join(folder, "PNGImages", "*.png")))[:IMAGES]
    masks = [os.path.join(folder, "PedMasks", os.path.basename(i)[:-4] + "_mask.png") for i in images]
    return list(zip(images, masks))


def fudan_torchvision(args, in_memory):
    import torch
    from torchvision import tv_tensors
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.ops import masks_to_boxes
    from torchvision.transforms import v2
    torch.set_num_threads(1)
    pipeline = v2.Compose([v2.ScaleJitter((SIDE, SIDE), (0.8, 1.25), antialias=True), v2.RandomHorizontalFlip(),
                           v2.RandomCrop(SIDE, pad_if_needed=True), v2.SanitizeBoundingBoxes(),
                           v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
                           v2.Normalize(MEAN, STD)])

    def objects(mask_file):
        mask = decode_image(mask_file, ImageReadMode.UNCHANGED)
        ids = torch.unique(mask)[1:]
        masks = (mask == ids[:, None, None]).to(torch.uint8)
        return masks, masks_to_boxes(masks)

    pairs = files(args.data_root)
    stored = [objects(mask) for _, mask in pairs] if in_memory else None

    def work():
        for i, (image_file, mask_file) in enumerate(pairs):
            image = tv_tensors.Image(decode_image(image_file, ImageReadMode.RGB))
            masks, boxes = stored[i] if in_memory else objects(mask_file)
            target = {"masks": tv_tensors.Mask(masks), "labels": torch.ones(len(boxes), dtype=torch.int64),
                      "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.shape[-2:])}
            pipeline(image, target)
        return len(pairs)

    return work


def fudan_albumentations(args):
    import albumentations as A
    import cv2
    import numpy as np
    cv2.setNumThreads(0)
    pipeline = A.Compose([A.LongestMaxSize(SIDE), A.RandomScale((-0.2, 0.25), p=1),
                          A.PadIfNeeded(SIDE, SIDE, border_mode=cv2.BORDER_CONSTANT), A.RandomCrop(SIDE, SIDE),
                          A.HorizontalFlip(), A.Normalize(MEAN, STD)],
                         bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"], min_visibility=0.25))
    pairs = files(args.data_root)
    stored = []
    for _, mask_file in pairs:
        mask = cv2.imread(mask_file, cv2.IMREAD_UNCHANGED)
        masks = [(mask == i).astype(np.uint8) for i in np.unique(mask)[1:]]
        boxes = []
        for m in masks:
            y, x = np.nonzero(m)
            boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
        stored.append((masks, boxes))

    def work():
        for (image_file, _), (masks, boxes) in zip(pairs, stored):
            image = cv2.cvtColor(cv2.imread(image_file), cv2.COLOR_BGR2RGB)
            pipeline(image=image, masks=masks, bboxes=boxes, labels=[1] * len(boxes))
        return len(pairs)

    return work


PEERS = {"cifar": {"torchvision": cifar_torchvision, "albumentations": cifar_albumentations},
         "penn-fudan": {"torchvision tutorial": lambda a: fudan_torchvision(a, False),
                        "torchvision memory": lambda a: fudan_torchvision(a, True),
                        "albumentations": fudan_albumentations}}


def ditto(args, what):
    """Rows per CPU second of each bench."""
    command = [args.bench, "--what", {"cifar": "augment", "penn-fudan": "penn-fudan"}[what], "--threads", "1",
               "--repeats", str(args.repeats), "--warmup", "1", "--device", "cpu"]
    if what == "penn-fudan":
        command += ["--data-root", args.data_root]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line["bench"]: line["images"] / min(s["cpu"] for s in line["samples"]) for line in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/release/apps/bench")
    parser.add_argument("--data-root", default=os.environ.get("DITTO_DATA", ""))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=list(PEERS))
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)  # one program, in a process of its own
    args = parser.parse_args()
    if args.peer:
        print(timed(PEERS[args.peer[0]][args.peer[1]](args), args.repeats))
        return
    for what, peers in PEERS.items():
        if args.only and what != args.only:
            continue
        rates, ratios, replicas = {}, {}, []
        for _ in range(args.rounds):
            own = ditto(args, what)
            ours = own["augment-crop-flip-cutout-normalise" if what == "cifar" else "penn-fudan-1-replicas"]
            rates.setdefault("ditto", []).append(ours)
            if what == "penn-fudan":
                replicas.append({m: m * ours / own[f"penn-fudan-{m}-replicas"] for m in (1, 2, 4, 8)})
            for name in peers:
                command = [sys.executable, __file__, "--data-root", args.data_root, "--repeats", str(args.repeats)]
                done = subprocess.run(command + ["--peer", what, name], capture_output=True, text=True)
                if done.returncode != 0:
                    print(f"{name} does not run: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                    continue
                rate = float(done.stdout)
                rates.setdefault(name, []).append(rate)
                ratios.setdefault(name, []).append(ours / rate)
        print(f"{what}: rows per CPU second, one thread, {args.rounds} alternating rounds")
        for name, values in rates.items():
            line = f"  {name:22s} median {statistics.median(values):10.1f}  best {max(values):10.1f}"
            if name in ratios:
                line += (f"   ditto is {statistics.median(ratios[name]):.2f} x as fast"
                         f" ({min(ratios[name]):.2f} to {max(ratios[name]):.2f})")
            print(line)
        for m in (1, 2, 4, 8) if replicas else ():
            cost = statistics.median(r[m] for r in replicas)
            print(f"  {m} replicas of an image cost {cost:.2f} times one replica")


if __name__ == "__main__":
    main()
