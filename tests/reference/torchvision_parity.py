"""torchvision's ResNet-18 and ResNet-50 and ditto's: the same names, and the same logits from the same weights.

Usage: cmake --build build --target ditto_parity_dump
       python3 torchvision_parity.py build/tests/reference/ditto_parity_dump

For each model: torchvision's own random weights travel through apps/convert_torchvision.py to ditto, which computes
the logits of the evaluated model for images of IMAGE pixels. Exits 1 where they differ by more than 1e-4 of the largest.
Then the same from integer hashes, on smaller images; their logits are stored in <model>_imagenet_parity.json for
tests/models/parity_test.cpp, with the names and shapes of the whole state_dict.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torchvision

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "apps"))

from convert_torchvision import convert  # noqa: E402
from hash_values import digest, hash_values, name_seed, read_safetensors, write_json  # noqa: E402

IMAGE, BATCH = 224, 4
SMALL = {"size": 2, "image": 64, "image_seed": 1, "label_seed": 2}
BOUND = 1e-4


def rows_of(model):
    """Ranges that keep the logits of order 1: He's for convolutions, norms near the identity."""
    rows = []
    for name, t in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        low, high = -0.25, 0.25
        if t.dim() == 4:
            high = (6.0 / (t.shape[1] * t.shape[2] * t.shape[3])) ** 0.5
            low = -high
        elif name.endswith("running_var"):
            low, high = 0.5, 1.5
        elif name.endswith("weight") and t.dim() == 1:
            # The last norm of a block small: 16 blocks add up.
            last = ".bn3" if hasattr(model.layer1[0], "bn3") else ".bn2"
            low, high = (0.1, 0.3) if last in name else (0.75, 1.25)
        elif name == "fc.weight":
            low, high = -0.05, 0.05
        rows.append({"name": name, "shape": list(t.shape), "seed": name_seed(name), "low": low, "high": high})
    return rows


def images_of(batch):
    n, side = batch["size"], batch["image"]
    values = hash_values(batch["image_seed"], n * side * side * 3).reshape(n, side, side, 3).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(values)).float()


@torch.no_grad()
def logits_of(model, batch):
    return model.eval()(images_of(batch)).numpy()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    failures = 0
    for name in ("resnet18", "resnet50"):
        torch.manual_seed(1)
        model = torchvision.models.get_model(name, weights=None)
        with torch.no_grad():  # statistics that differ from the first ones
            for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
                norm.running_mean.uniform_(-0.3, 0.3)
                norm.running_var.uniform_(0.7, 1.3)
                norm.weight.uniform_(0.3, 0.9)
                norm.bias.uniform_(-0.3, 0.3)
        rows = rows_of(model)
        path = HERE / f"{name}_imagenet_parity.json"
        setup = {
            "generator": f"torchvision_parity.py, PyTorch {torch.__version__}, torchvision {torchvision.__version__}",
            "model": name + "-imagenet",
            "classes": 1000,
            "batch": SMALL,
            "parameters": rows,
        }

        def ours(batch, *weights):
            write_json(path, setup | {"batch": batch})
            with tempfile.TemporaryDirectory() as folder:
                out = folder + "/out.safetensors"
                subprocess.run([sys.argv[1], path.name, out, *weights], check=True)
                return read_safetensors(out)["logits"]

        def compare(what, got, expected):
            error = float(np.abs(got - expected).max() / np.abs(expected).max())
            print(f"{name}, {what}: largest logit {np.abs(expected).max():.3g}, difference {error:.3g} of it "
                  f"(at most {BOUND}){'' if error <= BOUND else '  FAILED'}")
            return not error <= BOUND

        with tempfile.TemporaryDirectory() as folder:
            convert(model.state_dict(), folder + "/weights.safetensors")
            large = SMALL | {"size": BATCH, "image": IMAGE}
            failures += compare(f"converted weights, {IMAGE} x {IMAGE}", ours(large, folder + "/weights.safetensors"),
                                logits_of(model, large))
        for row in rows:
            values = hash_values(row["seed"], int(np.prod(row["shape"])), row["low"], row["high"])
            model.state_dict()[row["name"]].copy_(torch.from_numpy(values).reshape(row["shape"]))
        expected = logits_of(model, SMALL)
        failures += compare("hashed weights", ours(SMALL), expected)
        setup["logits"] = [digest(expected)]
        write_json(path, setup)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
