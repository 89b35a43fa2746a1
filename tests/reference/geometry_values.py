"""Writes geometry_values.safetensors: what torchvision and albumentations make of photographs of clothes, and of boxes on
them. tests/data/geometry_reference_test.cpp repeats it.

Usage: python3 geometry_values.py   (made with torchvision 0.29.2, PyTorch 2.15, albumentations 2.0.8, OpenCV 5.0.0;
images from FashionMNIST's test set, (H, W, C) u8; boxes f32, x0 y0 x1 y1)
"""

import gzip
import pathlib

import albumentations as A
import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

MNIST = pathlib.Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
with gzip.open(MNIST) as f:
    clothes = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)

grey = np.concatenate([clothes[0], clothes[1]], 1)[:, :, None].copy()  # 28 x 56
rgb = np.stack([clothes[19], clothes[61], clothes[18]], 2).copy()  # 28 x 28, three pieces of clothing
boxes = np.array([[20, 10, 31, 17], [24.5, 12.25, 29, 15.5]], np.float32)  # in the middle: nothing cuts them

out = {"image.grey": torch.from_numpy(grey), "image.rgb": torch.from_numpy(rgb), "boxes": torch.from_numpy(boxes)}
tv_grey = torch.from_numpy(grey).permute(2, 0, 1)
tv_rgb = torch.from_numpy(rgb).permute(2, 0, 1)


def keep(name, image):
    out[name] = image.permute(1, 2, 0).contiguous()


def torchvision(name, op):
    """The image as u8, and the boxes."""
    keep("tv." + name, op(tv_grey))
    boxed = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=grey.shape[:2])
    out["tv.boxes." + name] = op(boxed).as_subclass(torch.Tensor).float().contiguous()


LINEAR = InterpolationMode.BILINEAR
torchvision("hflip", F.horizontal_flip)
torchvision("vflip", F.vertical_flip)
torchvision("crop", lambda x: F.crop(x, 3, 10, 20, 40))
torchvision("pad", lambda x: F.pad(x, [4, 1, 3, 6]))
torchvision("resize.down", lambda x: F.resize(x, [17, 30], LINEAR, antialias=True))
torchvision("resize.up", lambda x: F.resize(x, [45, 71], LINEAR, antialias=True))
torchvision("resized_crop", lambda x: F.resized_crop(x, 2, 9, 24, 35, [20, 20], LINEAR, antialias=True))
torchvision("rotate", lambda x: F.rotate(x, 12.5, LINEAR))
torchvision("affine", lambda x: F.affine(x, angle=-8.0, translate=[3, -2], scale=1.2, shear=[5.0, 3.0],
                                         interpolation=LINEAR))
torchvision("shear", lambda x: F.affine(x, angle=0.0, translate=[0, 0], scale=1.0, shear=[-9.0, 0.0],
                                        interpolation=LINEAR, center=[0, 0]))

keep("tv.brightness", F.adjust_brightness(tv_rgb, 1.4))
keep("tv.contrast", F.adjust_contrast(tv_rgb, 0.6))
keep("tv.saturation", F.adjust_saturation(tv_rgb, 1.7))
keep("tv.hue", F.adjust_hue(tv_rgb, -0.2))
keep("tv.grayscale", F.rgb_to_grayscale(tv_rgb, 3))
keep("tv.solarize", F.solarize(tv_rgb, 128))
keep("tv.blur", F.gaussian_blur(tv_rgb, [7, 7], [1.3, 1.3]))
keep("tv.blur.f32", F.gaussian_blur(tv_rgb.float() / 255, [23, 23], [2.0, 2.0]))


def albumentations(name, op, source=grey, with_boxes=True):
    params = A.BboxParams(format="pascal_voc", label_fields=["labels"], clip=False, min_area=0, min_visibility=0)
    done = A.Compose([op], bbox_params=params)(image=source, bboxes=boxes if with_boxes else np.zeros((0, 4), np.float32),
                                               labels=[0, 1] if with_boxes else [])
    image = done["image"]
    out["alb." + name] = torch.from_numpy(np.ascontiguousarray(image if image.ndim == 3 else image[:, :, None]))
    if with_boxes:
        out["alb.boxes." + name] = torch.from_numpy(np.asarray(done["bboxes"], np.float32)[:, :4].copy())


def affine(**change):
    return A.Affine(**change, interpolation=cv2.INTER_LINEAR, p=1)


albumentations("hflip", A.HorizontalFlip(p=1))
albumentations("vflip", A.VerticalFlip(p=1))
albumentations("crop", A.Crop(10, 3, 50, 23, p=1))
albumentations("resize.up", A.Resize(45, 71, interpolation=cv2.INTER_LINEAR, p=1))
albumentations("rotate", affine(rotate=(12.5, 12.5)))
albumentations("scale", affine(scale=(1.3, 1.3)))
albumentations("translate", affine(translate_px={"x": (3, 3), "y": (-2, -2)}))
albumentations("shear", affine(shear={"x": (9, 9), "y": (0, 0)}))
albumentations("brightness", A.ColorJitter((1.4, 1.4), (1, 1), (1, 1), (0, 0), p=1), rgb, False)
albumentations("contrast", A.ColorJitter((1, 1), (0.6, 0.6), (1, 1), (0, 0), p=1), rgb, False)
albumentations("saturation", A.ColorJitter((1, 1), (1, 1), (1.7, 1.7), (0, 0), p=1), rgb, False)
albumentations("hue", A.ColorJitter((1, 1), (1, 1), (1, 1), (-0.2, -0.2), p=1), rgb, False)
albumentations("solarize", A.Solarize(threshold_range=(128 / 255, 128 / 255), p=1), rgb, False)
save_file(out, pathlib.Path(__file__).with_name("geometry_values.safetensors"))
