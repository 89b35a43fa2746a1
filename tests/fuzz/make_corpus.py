"""Writes tests/fuzz/corpus: small inputs from which the fuzzers start and which every test run replays. All are generated;
no picture or annotation of a real data set is among them.

Usage: python3 make_corpus.py   (needs safetensors and numpy; reads ../reference/image_files.safetensors)
"""

import pathlib
import struct
import zlib

from safetensors.numpy import load_file

here = pathlib.Path(__file__).parent


def write(target, name, data):
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def header(width, height, depth, colour, interlace=0):
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# Images: whole files (mode 0), a PNG whose checksums the target repairs (1), headers with lines to compress (2).
exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
for name, data in load_file(here.parent / "reference" / "image_files.safetensors").items():
    if not name.startswith("file."):
        continue
    data = bytes(data)
    write("image", name[5:], b"\0" + data)
    if name == "file.jpeg_444":
        write("image", "jpeg_exif",
              b"\0" + data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
        write("image", "jpeg_cut", b"\0" + data[:len(data) // 2])
    if name.startswith("file.png"):
        write("image", name[5:] + "_repaired", b"\1" + data)
for colour, channels in ((0, 1), (2, 3), (3, 1), (4, 2), (6, 4)):
    lines = b"".join(bytes([y % 5]) + bytes((31 * x + 7 * y) % 256 for x in range(9 * channels)) for y in range(10))
    write("image", f"filters_{colour}", b"\2" + header(9, 10, 8, colour) + lines)
for depth in (1, 2, 4, 16):
    line = (9 * depth + 7) // 8
    write("image", f"depth_{depth}", b"\2" + header(9, 4, depth, 0) + bytes(4 * (line + 1)))
write("image", "interlaced", b"\2" + header(3, 3, 8, 0, 1) + bytes(40))
write("image", "too_large", b"\2" + header(60000, 60000, 8, 2) + bytes(10))
write("image", "too_much", b"\2" + header(2, 2, 8, 0) + bytes(5000))
write("image", "palette_overrun", b"\2" + header(4, 1, 8, 3) + b"\0\xff\xfe\x10\x00")

# Annotations: texts (even first byte) and maps of objects (odd, then as an image).
good = (b"# Compatible with PASCAL Annotation Version 1.00\nImage size (X x Y x C) : 100 x 50 x 3\n"
        b"Objects with ground truth : 1 { \"PASperson\" }\n"
        b"Bounding box for object 1 \"PASperson\" (Xmin, Ymin) - (Xmax, Ymax) : (1, 2) - (10, 20)\n"
        b"Pixel mask for object 1 \"PASperson\" : \"PennFudanPed/PedMasks/a_mask.png\"\n")
texts = {"good": good, "crlf_bom": b"\xef\xbb\xbf" + good.replace(b"\n", b"\r\n"), "cut": good[:150],
         "negative": good.replace(b"(1, 2)", b"(-1, 2)"), "nan": good.replace(b"(1, 2)", b"(nan, inf)"),
         "crossed": good.replace(b"(10, 20)", b"(0, 1)"), "outside": good.replace(b"(10, 20)", b"(1000, 20)"),
         "huge": good.replace(b"(10, 20)", b"(99999999999999999999, 20)"),
         "comma": good.replace(b"(1, 2)", b"(1,5, 2,5)"), "many": good.replace(b": 1 {", b": 1000000 {"),
         "path": good.replace(b"PennFudanPed/", b"/../../etc/"), "nul": good.replace(b"mask.png", b"mask\0png"),
         "latin1": b"# caf\xe9\n" + good, "long_line": good + b"x" * 5000, "no_size": good.replace(b"Image size", b"Size"),
         "twice": good + good, "unknown": good.replace(b"PASperson", b"dog")}
for name, text in texts.items():
    write("annotation", "text_" + name, b"\0" + text)
lines = b"".join(b"\0" + bytes((x // 3 + y // 4) % 4 for x in range(12)) for y in range(9))
write("annotation", "map_grey", b"\1\2" + header(12, 9, 8, 0) + lines)
write("annotation", "map_palette", b"\1\2" + header(12, 9, 8, 3) + lines)
write("annotation", "map_bits", b"\1\2" + header(12, 9, 2, 0) + bytes(4 * 9))
write("annotation", "map_16", b"\1\2" + header(12, 9, 16, 0) + bytes(25 * 9))
write("annotation", "map_colour", b"\1\2" + header(12, 9, 8, 2) + bytes(37 * 9))

# Masks: height and width, then COCO's string.
for name, size, text in (("some", (4, 3), b"525"), ("empty", (4, 3), b"<"), ("full", (4, 3), b"0<"),
                         ("short", (4, 3), b"52"), ("long", (4, 3), b"5255"), ("negative", (4, 3), b"5O5"),
                         ("endless", (4, 3), b"o" * 40), ("odd", (4, 3), b"\xff\0 ~"), ("nothing", (0, 0), b""), ("no_height", (0, 512), b""),
                         ("tall", (1023, 2), b"n01m0" + b"1" * 30)):
    write("rle", name, struct.pack("<HH", *size) + text)
print(sum(1 for p in (here / "corpus").rglob("*") if p.is_file()), "files")
