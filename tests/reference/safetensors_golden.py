"""Writes golden.safetensors with the reference package; tests/core/serialize_test.cpp reads it and writes it again.

Usage: python3 safetensors_golden.py   (made with safetensors 0.8.0 and numpy; one tensor per dtype of ditto)
"""

import pathlib

import ml_dtypes
import numpy as np
from safetensors.numpy import save

tensors = {
    "weight": np.array([[1.5, -2.0, 0.0], [np.inf, -0.0, 3.25]], np.float32),
    "bias": np.array([0.1, 1e300], np.float64),
    "half": np.array([1.0, -0.5, 65504.0], np.float16),
    "brain": np.array([1.0, -3.0, 2.0**100], ml_dtypes.bfloat16),
    "steps": np.array(-(2**40), np.int64),
    "labels": np.array([7, -7], np.int32),
    "image": np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
    "mask": np.array([True, False, True]),
    "empty": np.zeros((0, 4), np.float32),
    'odd "name"\n\u00e9': np.array([9], np.uint8),
}
path = pathlib.Path(__file__).with_name("golden.safetensors")
path.write_bytes(save(tensors, metadata={"format": "pt"}))
