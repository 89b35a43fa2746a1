"""Writes transform_values.safetensors: what torchvision makes of two pictures by resizing, cropping and changing colours.
tests/data/photo_transform_test.cpp repeats it.

Usage: python3 transform_values.py   (made with torchvision 0.29.2, PyTorch 2.15; images (H, W, 3) u8, results f32)
"""

import pathlib

import torch
from safetensors.torch import save_file
from torchvision.transforms.v2 import functional as F
from torchvision.transforms.v2 import InterpolationMode

from hash_values import hash_values


def picture(seed, height, width):
    """Smooth colours with noise on top, so that both the filter and the colours have something to do."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    noise = torch.tensor(hash_values(seed, height * width * 3, -40, 40), dtype=torch.float64).reshape(height, width, 3)
    base = torch.stack([x * 255 / width, y * 255 / height, 127 + 100 * torch.sin(0.5 * x + 0.2 * y)], 2)
    return (base + noise).clamp(0, 255).round().to(torch.uint8)


images = {"wide": picture(1, 37, 53), "small": picture(2, 12, 10)}
out = {}


def as_float(image):
    return image.permute(2, 0, 1).float() / 255


def keep(name, image):
    out[name] = image.permute(1, 2, 0).contiguous()


for name, image in images.items():
    out["image." + name] = image
    x = as_float(image)
    for height, width in ((16, 24), (9, 7), (12, 20)):
        keep(f"resize.{name}.{height}.{width}", F.resize(x, [height, width], antialias=True))
    keep(f"evaluation.{name}", F.center_crop(F.resize(x, [18], antialias=True), [15, 16]))
    keep(f"pad.{name}", F.center_crop(F.resize(x, [6], antialias=True), [15, 16]))
keep("resize.small.31.27", F.resize(as_float(images["small"]), [31, 27], antialias=True))
wide = as_float(images["wide"])
for top, left, height, width in ((3, 5, 30, 40), (10, 20, 8, 9), (0, 0, 37, 16), (36, 52, 1, 1)):
    keep(f"crop.{top}.{left}.{height}.{width}",
         F.resized_crop(wide, top, left, height, width, [14, 18], InterpolationMode.BILINEAR, antialias=True))
small = as_float(images["small"])
for factor in (0.0, 0.4, 1.7):
    keep(f"brightness.{factor}", F.adjust_brightness(small, factor))
    keep(f"contrast.{factor}", F.adjust_contrast(small, factor))
    keep(f"saturation.{factor}", F.adjust_saturation(small, factor))
for factor in (-0.5, -0.2, 0.1, 0.45):
    keep(f"hue.{factor}", F.adjust_hue(small, factor))
keep("grey", F.rgb_to_grayscale(small, 3))
chain = F.adjust_hue(F.adjust_contrast(F.adjust_saturation(F.adjust_brightness(small, 1.3), 0.6), 1.5), -0.15)
keep("chain", F.normalize(chain, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
save_file(out, pathlib.Path(__file__).with_name("transform_values.safetensors"))
