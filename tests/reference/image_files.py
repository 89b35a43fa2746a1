"""Writes image_files.safetensors: small JPEG and PNG files in every form that data/image.h must read, and their pixels
as Pillow decodes them. tests/data/image_test.cpp reads it and damages the files in every place.

Usage: python3 image_files.py   (made with Pillow 12 and safetensors 0.8; "file.x" holds the bytes, "pixels.x" (H, W, 3))
"""

import io
import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save

WIDTH, HEIGHT = 23, 17  # no multiple of any block size


def picture(width=WIDTH, height=HEIGHT):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 255 * x / width
    green = 255 * y / height
    blue = 127 + 120 * np.sin(0.4 * x + 0.3 * y)
    return Image.fromarray(np.stack([red, green, blue], 2).round().astype(np.uint8))


def encode(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


rgb = picture()
alpha = Image.fromarray((np.arange(WIDTH * HEIGHT) % 256).reshape(HEIGHT, WIDTH).astype(np.uint8))
rgba = rgb.copy()
rgba.putalpha(alpha)
grey16 = Image.fromarray((np.arange(WIDTH * HEIGHT) * 160).reshape(HEIGHT, WIDTH).astype(np.uint16))
files = {
    "jpeg_444": encode(rgb, format="JPEG", quality=92, subsampling=0),
    "jpeg_420": encode(picture(48, 40), format="JPEG", quality=85, subsampling=2),
    "jpeg_progressive": encode(rgb, format="JPEG", quality=92, subsampling=0, progressive=True),
    "jpeg_restart": encode(picture(48, 40), format="JPEG", quality=92, subsampling=0, restart_marker_blocks=2),
    "jpeg_grey": encode(rgb.convert("L"), format="JPEG", quality=92),
    "png_rgb": encode(rgb, format="PNG"),
    "png_rgba": encode(rgba, format="PNG"),
    "png_palette": encode(rgb.quantize(16), format="PNG"),
    "png_grey": encode(rgb.convert("L"), format="PNG"),
    "png_grey16": encode(grey16, format="PNG"),
    "png_bits": encode(rgb.convert("1"), format="PNG"),
}
tensors = {}
for name, data in files.items():
    tensors["file." + name] = np.frombuffer(data, np.uint8)
    decoded = Image.open(io.BytesIO(data))
    if name == "png_grey16":  # Pillow's own conversion clips; the high byte is meant
        decoded = Image.fromarray((np.asarray(decoded).astype(np.uint32) >> 8).astype(np.uint8))
    tensors["pixels." + name] = np.asarray(decoded.convert("RGB"))
    print(f"{name:18s} {len(data):5d} bytes  {decoded.size}")
pathlib.Path(__file__).with_name("image_files.safetensors").write_bytes(save(tensors))
