"""The pseudo-random values of tests/support/hash_values.h, in numpy, and shared helpers of the reference scripts."""

import json
import pathlib
import struct

import numpy as np

U32 = np.uint32


def mix32(x):
    with np.errstate(over="ignore"):
        x = (x ^ (x >> U32(16))) * U32(0x85EBCA6B)
        x = (x ^ (x >> U32(13))) * U32(0xC2B2AE35)
    return x ^ (x >> U32(16))


def hash_bits(seed, n):
    with np.errstate(over="ignore"):
        return mix32(mix32(np.arange(1, n + 1, dtype=U32)) + np.full(1, seed, U32) * U32(0x9E3779B9))


def hash_values(seed, n, low=-1.0, high=1.0):
    """n values in [low, high), rounded to f32 and returned as f64."""
    value = (hash_bits(seed, n) >> U32(8)).astype(np.float64) * 2.0**-23 - 1.0
    middle, half = 0.5 * (low + high), float(np.float32(0.5 * (high - low)))
    return (middle + half * value).astype(np.float32).astype(np.float64)


def hash_labels(seed, n, classes):
    return (hash_bits(seed, n) % U32(classes)).astype(np.int64)


def name_seed(name):
    """FNV-1a of a name, 32 bits: every array of a reference file has a stream of its own."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return seed


def short(value):
    """12 significant digits: a hundred times finer than the tightest tolerance of the tests."""
    return float(f"{value:.12g}")


def digest(array, samples=12, dots=3, full=32):
    """What a reference file keeps of an array: all elements of a small one; of a larger one the largest magnitude,
    evenly spaced elements and dot products with hash values, which no wrong element escapes."""
    flat = np.asarray(array, np.float64).reshape(-1)
    n = flat.size
    if n <= full:
        return {"shape": list(np.shape(array)), "values": [short(v) for v in flat]}
    return {
        "shape": list(np.shape(array)),
        "max": short(np.abs(flat).max()),
        "samples": [short(flat[i * n // samples]) for i in range(samples)],
        "dots": [short(flat @ hash_values(seed, n)) for seed in range(dots)],
    }


def write_json(path, value):
    """One line per entry of the top level and of lists of objects: small, and readable in a diff."""
    lines = []
    for key, entry in value.items():
        if isinstance(entry, list) and entry and isinstance(entry[0], dict):
            rows = ",\n".join("  " + json.dumps(row, separators=(",", ":"), allow_nan=False) for row in entry)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(entry, separators=(',', ':'), allow_nan=False)}")
    pathlib.Path(path).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read_safetensors(path):
    """Arrays of a safetensors file with f32, f64 or i64 tensors."""
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    types = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            out[name] = np.frombuffer(data[begin:end], types[entry["dtype"]]).reshape(entry["shape"])
    return out
