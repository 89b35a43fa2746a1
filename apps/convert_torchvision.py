#!/usr/bin/env python3
"""Converts a torchvision model's weights, or any state_dict saved by torch.save, to the safetensors file that
train_cifar --init-weights reads. Needs torch with numpy; torchvision where a model is named.

    convert_torchvision.py resnet50 resnet50.safetensors        the library's pretrained weights (downloads them)
    convert_torchvision.py mine.pth mine.safetensors
"""
import json
import os
import struct
import sys

import torch

TYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def convert(state, path):
    header, data, offset = {}, [], 0
    for name, tensor in state.items():
        data.append(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(data[-1])]}
        offset += len(data[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = sys.argv[1:]
    if os.path.exists(source):
        state = torch.load(source, map_location="cpu", weights_only=True)
        convert(state.get("state_dict", state), target)
    else:
        import torchvision
        convert(torchvision.models.get_model(source, weights="DEFAULT").state_dict(), target)
