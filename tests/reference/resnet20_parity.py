"""One training step and short trainings of ResNet-20 in PyTorch (f32 and f64) and in ditto, from the same weights and
batch.

Usage: cmake --build build --target ditto_resnet20_dump
       python3 resnet20_parity.py build/tests/reference/ditto_resnet20_dump [--search]

Prints every comparison and exits 1 if one fails. Rewrites resnet20_parity.json (setup, and digests of PyTorch's f64
gradients for tests/models/resnet_parity_test.cpp). `--search` looks for the seeds again instead of taking those in the
file.

Weights and batch are integer hashes. A ReLU input within rounding of zero falls on different sides in two programs and
moves gradients by 1 %, which says nothing about either; so the seed of every convolution is the first one with which
all inputs of the ReLU behind it stay further from zero than MARGIN times the largest f32 error at that ReLU.
"""

import argparse
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from hash_values import hash_labels, hash_values, name_seed, read_safetensors, short, write_json

BATCH = 16
MARGIN = 4
SGD = {"momentum": 0.9, "weight_decay": 1e-4}
TRAININGS = [{"name": "slow", "steps": 10, "rate": 0.001}, {"name": "fast", "steps": 3, "rate": 0.1}]
JSON = pathlib.Path(__file__).with_name("resnet20_parity.json")


class Block(nn.Module):
    def __init__(self, width_in, width_out, stride):
        super().__init__()
        self.stride, self.extra = stride, width_out - width_in
        self.conv1 = nn.Conv2d(width_in, width_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width_out)
        self.conv2 = nn.Conv2d(width_out, width_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width_out)

    def shortcut(self, x):  # option A: every second pixel, zero channels behind the existing ones
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Block(16, 16, 1) for _ in range(3)])
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def parameter_rows(model):
    """Ranges: convolutions uniform with He's deviation sqrt(2 / fan_out), the classifier 1/8, scales around 1."""
    rows = []
    for name, p in model.named_parameters():
        low, high = -0.25, 0.25
        if p.dim() == 4:
            high = (6.0 / (p.shape[0] * 9)) ** 0.5
            low = -high
        elif "bn" in name and name.endswith("weight"):
            low, high = 0.75, 1.25
        elif name == "fc.weight":
            low, high = -0.125, 0.125
        rows.append({"name": name, "shape": list(p.shape), "seed": name_seed(name), "low": low, "high": high})
    return rows


def fill(parameter, row):
    values = hash_values(row["seed"], parameter.numel(), row["low"], row["high"])
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values).reshape(parameter.shape))


def make_model(rows, dtype):
    model = ResNet20().to(dtype)
    for row in rows:
        fill(model.get_parameter(row["name"]), row)
    return model


def make_batch(batch, dtype):
    n = batch["size"]
    images = hash_values(batch["image_seed"], n * 32 * 32 * 3).reshape(n, 32, 32, 3).transpose(0, 3, 1, 2)
    labels = hash_labels(batch["label_seed"], n, 10)
    return torch.from_numpy(np.ascontiguousarray(images)).to(dtype), torch.from_numpy(labels)


@torch.no_grad()
def search(rows, batch):
    """Walks through the ReLUs in order, in f32 and f64 at once, and settles the convolution before each."""
    by_name = {row["name"]: row for row in rows}
    models = [make_model(rows, dtype) for dtype in (torch.float32, torch.float64)]
    xs = [make_batch(batch, m.fc.weight.dtype)[0] for m in models]

    def settle(conv, bn, inputs, shortcuts):
        row = by_name[conv + ".weight"]
        first = row["seed"]
        for attempt in range(1000):
            row["seed"] = (first + attempt) % 2**32
            outs = []
            for m, x, skip in zip(models, inputs, shortcuts):
                fill(m.get_parameter(conv + ".weight"), row)
                outs.append(m.get_submodule(bn)(m.get_submodule(conv)(x)) + skip)
            error = (outs[0].double() - outs[1]).abs().max().item()
            margin = outs[1].abs().min().item()
            if margin > MARGIN * error:
                print(f"{conv}: attempt {attempt}, f32 error {error:.1e}, smallest ReLU input {margin:.1e}")
                return [F.relu(out) for out in outs]
        sys.exit(f"no seed for {conv} keeps its ReLU clear of zero")

    xs = settle("conv1", "bn1", xs, [0, 0])
    for name, module in list(models[0].named_modules()):
        if isinstance(module, Block):
            inner = settle(name + ".conv1", name + ".bn1", xs, [0, 0])
            xs = settle(name + ".conv2", name + ".bn2", inner, [module.shortcut(x) for x in xs])


def one_step(setup, dtype):
    model = make_model(setup["parameters"], dtype)
    images, labels = make_batch(setup["batch"], dtype)
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    out = {"grad." + name: p.grad.double().numpy() for name, p in model.named_parameters()}
    out |= {"buffer." + name: b.double().numpy() for name, b in model.named_buffers()}
    return loss.item(), out


def train(setup, dtype, steps, rate):
    model = make_model(setup["parameters"], dtype)
    images, labels = make_batch(setup["batch"], dtype)
    optimizer = torch.optim.SGD(model.parameters(), rate, SGD["momentum"], weight_decay=SGD["weight_decay"])
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def distance(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def digest(name, exact, single):
    flat = exact.reshape(-1)
    at = [i * flat.size // 16 for i in range(16)] if flat.size > 16 else range(flat.size)
    return {
        "name": name,
        "shape": list(exact.shape),
        "max": short(np.abs(flat).max()),
        "sum": short(flat.sum()),
        "norm": short(np.sqrt((flat * flat).sum())),
        "samples": [short(flat[i]) for i in at],
        "torch_f32_error": float(f"{distance(single, exact):.3g}"),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", help="ditto_resnet20_dump")
    parser.add_argument("--search", action="store_true")
    args = parser.parse_args()
    setup = {
        "generator": f"resnet20_parity.py, PyTorch {torch.__version__}",
        "batch": {"size": BATCH, "image_seed": 1, "label_seed": 2},
        "sgd": SGD,
        "trainings": copy.deepcopy(TRAININGS),
        "parameters": parameter_rows(ResNet20()),
    }
    if args.search or not JSON.exists():
        search(setup["parameters"], setup["batch"])
    else:
        setup["parameters"] = json.loads(JSON.read_text())["parameters"]

    loss32, step32 = one_step(setup, torch.float32)
    loss64, step64 = one_step(setup, torch.float64)
    setup["loss_f64"], setup["loss_f32"] = loss64, loss32
    for training in setup["trainings"]:
        for key, dtype in (("losses_f32", torch.float32), ("losses_f64", torch.float64)):
            training[key] = train(setup, dtype, training["steps"], training["rate"])
    gradients = {name[5:]: name for name in step64 if name.startswith("grad.")}
    setup["gradients"] = [digest(name, step64[key], step32[key]) for name, key in gradients.items()]
    statistics = {name[7:]: name for name in step64 if name.startswith("buffer.") and "running" in name}
    setup["buffers"] = [digest(name, step64[key], step32[key]) for name, key in statistics.items()]
    write_json(JSON, setup)

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.binary, folder + "/out.safetensors"], check=True)
        ours = read_safetensors(folder + "/out.safetensors")

    failures = []

    def expect(what, value, bound):
        print(f"{what}: {value:.3g} (at most {bound:.3g}){'' if value <= bound else '  FAILED'}")
        if not value <= bound:
            failures.append(what)

    expect("loss, ditto f32 - PyTorch f32", abs(float(ours["f32.loss"]) - loss32), 1e-5)
    expect("loss, ditto f64 - PyTorch f64", abs(float(ours["f64.loss"]) - loss64), 1e-10)
    rows = []
    for name, key in (gradients | statistics).items():
        got, double, single, exact = ours["f32." + key], ours["f64." + key], step32[key], step64[key]
        if got.shape != single.shape:
            sys.exit(f"{name}: shape {got.shape} instead of {single.shape}")
        pairs = [(got, single), (got, exact), (single, exact), (double, exact)]
        rows.append((name, *(distance(a, b) for a, b in pairs)))
    print(f"{'max|a-b| / max|b|':28} {'d32-t32':>9} {'d32-t64':>9} {'t32-t64':>9} {'d64-t64':>9}")
    for name, *errors in rows:
        print(f"{name:28} " + " ".join(f"{e:9.2e}" for e in errors))
    expect("largest gradient or statistics error, ditto f32 - PyTorch f32", max(r[1] for r in rows), 1e-4)
    # A tensor that PyTorch f32 has right to the last bit leaves room for one rounding.
    expect(
        "largest ratio of errors against PyTorch f64, ditto f32 : PyTorch f32",
        max(r[2] / max(r[3], 2.0**-24) for r in rows),
        2.0,
    )
    expect("largest error, ditto f64 - PyTorch f64", max(r[4] for r in rows), 1e-9)
    for training in setup["trainings"]:
        got = ours["losses." + training["name"]]
        worst = float(np.abs(got - training["losses_f32"]).max())
        expect(f"losses of {training['steps']} steps at rate {training['rate']}", worst, 1e-3)
        print("  ditto f32  ", *(f"{v:.6f}" for v in got))
        print("  PyTorch f32", *(f"{v:.6f}" for v in training["losses_f32"]))
        print("  PyTorch f64", *(f"{v:.6f}" for v in training["losses_f64"]))
    sys.exit(f"failed: {failures}" if failures else 0)


if __name__ == "__main__":
    main()
