"""One training step and short trainings of a model in PyTorch (f32 and f64) and in ditto, from the same weights and
batch.

Usage: cmake --build build --target ditto_parity_dump
       python3 step_parity.py resnet20|densenet40 build/tests/reference/ditto_parity_dump [--search]

Prints every comparison and exits 1 if one fails. Rewrites <model>_parity.json (setup, and digests of PyTorch's f64
gradients for tests/models/parity_test.cpp). `--search` looks for the seeds again instead of taking those in the file.

Weights and batch are integer hashes. A ReLU input within rounding of zero falls on different sides in two programs and
moves gradients by 1 %, which says nothing about either; so the seed of every convolution (ResNet) or shift of a norm
(DenseNet, whose norms read what many convolutions wrote) is the first one with which all inputs of the ReLU behind it
stay further from zero than MARGIN times the largest f32 error at that ReLU.

PyTorch's f32 step runs in the layout of LAYOUT, the one with the smaller bound that can be kept: its NCHW convolutions
sum in other blocks than oneDNN's NHWC ones, which both programs have, and are twice as exact on DenseNet's layers of 12
channels. With convolutions that sum in double, ditto's errors on DenseNet-40 are half of those of PyTorch in NCHW.
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
import torch.nn.functional as F

from hash_values import digest, hash_labels, hash_values, name_seed, read_safetensors, write_json
from peer_models import MODELS, Block, DenseLayer, Transition

BATCH = {"resnet20": {"size": 16, "image": 32}, "densenet40": {"size": 4, "image": 16}}
MARGIN = 4
# Running statistics are averages whose errors are single roundings in either program.
WORST_RATIO = {"gradient": 2.0, "running statistic": 4.0}
LAYOUT = {"resnet20": torch.contiguous_format, "densenet40": torch.channels_last}
SGD = {"momentum": 0.9, "weight_decay": 1e-4}
TRAININGS = [{"name": "slow", "steps": 10, "rate": 0.001}, {"name": "fast", "steps": 3, "rate": 0.1}]


def parameter_rows(model):
    """Ranges: convolutions uniform with He's deviation sqrt(2 / fan_out), the classifier 1/8, scales around 1."""
    rows = []
    for name, p in model.named_parameters():
        low, high = -0.25, 0.25
        if p.dim() == 4:
            high = (6.0 / (p.shape[0] * p.shape[2] * p.shape[3])) ** 0.5
            low = -high
        elif ("bn" in name or "norm" in name) and name.endswith("weight"):
            low, high = 0.75, 1.25
        elif name in ("fc.weight", "classifier.weight"):
            low, high = -0.125, 0.125
        rows.append({"name": name, "shape": list(p.shape), "seed": name_seed(name), "low": low, "high": high})
    return rows


def fill(parameter, row):
    values = hash_values(row["seed"], parameter.numel(), row["low"], row["high"])
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values).reshape(parameter.shape))


def make_model(setup, dtype):
    model = MODELS[setup["model"]]().to(dtype)
    for row in setup["parameters"]:
        fill(model.get_parameter(row["name"]), row)
    return model


def make_batch(setup, dtype):
    batch = setup["batch"]
    n, side = batch["size"], batch["image"]
    images = hash_values(batch["image_seed"], n * side * side * 3).reshape(n, side, side, 3).transpose(0, 3, 1, 2)
    labels = hash_labels(batch["label_seed"], n, setup["classes"])
    return torch.from_numpy(np.ascontiguousarray(images)).to(dtype), torch.from_numpy(labels)


class Search:
    """Walks through the ReLUs in order, in f32 and f64 at once, and settles one parameter before each."""

    def __init__(self, setup):
        self.rows = {row["name"]: row for row in setup["parameters"]}
        self.models = [make_model(setup, dtype) for dtype in (torch.float32, torch.float64)]
        self.xs = [make_batch(setup, dtype)[0] for dtype in (torch.float32, torch.float64)]

    def settle(self, name, inputs, compute):
        """compute(model, input) gives the ReLU's input; returns its outputs in both precisions."""
        row = self.rows[name]
        first = row["seed"]
        for attempt in range(10000):
            row["seed"] = (first + attempt) % 2**32
            outs = []
            for m, x in zip(self.models, inputs):
                fill(m.get_parameter(name), row)
                outs.append(compute(m, x))
            error = (outs[0].double() - outs[1]).abs().max().item()
            margin = outs[1].abs().min().item()
            if margin > MARGIN * error:
                print(f"{name}: attempt {attempt}, f32 error {error:.1e}, smallest ReLU input {margin:.1e}")
                return [F.relu(out) for out in outs]
        sys.exit(f"no seed for {name} keeps its ReLU clear of zero")

    def apply(self, name, inputs):
        return [m.get_submodule(name)(x) for m, x in zip(self.models, inputs)]

    @torch.no_grad()
    def resnet(self):
        def settle(conv, bn, inputs, shortcuts):
            def compute(m, x):
                skip = shortcuts[self.models.index(m)]
                return m.get_submodule(bn)(m.get_submodule(conv)(x)) + skip

            return self.settle(conv + ".weight", inputs, compute)

        xs = settle("conv1", "bn1", self.xs, [0, 0])
        for name, module in list(self.models[0].named_modules()):
            if isinstance(module, Block):
                inner = settle(name + ".conv1", name + ".bn1", xs, [0, 0])
                xs = settle(name + ".conv2", name + ".bn2", inner, [module.shortcut(x) for x in xs])

    @torch.no_grad()
    def densenet(self):
        def relu_of(norm, xs):
            return self.settle(norm + ".bias", xs, lambda m, x: m.get_submodule(norm)(x))

        xs = self.apply("features.conv0", self.xs)
        for name, module in list(self.models[0].named_modules()):
            if isinstance(module, DenseLayer):
                new = self.apply(name + ".conv1", relu_of(name + ".norm1", xs))
                xs = [torch.cat(pair, 1) for pair in zip(xs, new)]
            elif isinstance(module, Transition):
                xs = [F.avg_pool2d(x, 2) for x in self.apply(name + ".conv", relu_of(name + ".norm", xs))]
        relu_of("features.norm5", xs)


def one_step(setup, dtype):
    model = make_model(setup, dtype)
    images, labels = make_batch(setup, dtype)
    layout = LAYOUT[setup["model"]]
    model, images = model.to(memory_format=layout), images.contiguous(memory_format=layout)
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    out = {"grad." + name: p.grad.double().numpy() for name, p in model.named_parameters()}
    out |= {"buffer." + name: b.double().numpy() for name, b in model.named_buffers()}
    return loss.item(), out


def train(setup, dtype, steps, rate):
    model = make_model(setup, dtype)
    images, labels = make_batch(setup, dtype)
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


def row(name, exact, single):
    kept = digest(exact, samples=16, full=16)
    return {"name": name} | kept | {"torch_f32_error": float(f"{distance(single, exact):.3g}")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=BATCH)
    parser.add_argument("binary", help="ditto_parity_dump")
    parser.add_argument("--search", action="store_true")
    args = parser.parse_args()
    path = pathlib.Path(__file__).with_name(args.model + "_parity.json")
    setup = {
        "generator": f"step_parity.py, PyTorch {torch.__version__}",
        "model": args.model,
        "classes": 10,
        "batch": BATCH[args.model] | {"image_seed": 1, "label_seed": 2},
        "sgd": SGD,
        "trainings": copy.deepcopy(TRAININGS),
        "parameters": parameter_rows(MODELS[args.model]()),
    }
    if args.search or not path.exists():
        search = Search(setup)
        search.resnet() if args.model == "resnet20" else search.densenet()
    else:
        setup["parameters"] = json.loads(path.read_text())["parameters"]

    loss32, step32 = one_step(setup, torch.float32)
    loss64, step64 = one_step(setup, torch.float64)
    setup["loss_f64"], setup["loss_f32"] = loss64, loss32
    for training in setup["trainings"]:
        for key, dtype in (("losses_f32", torch.float32), ("losses_f64", torch.float64)):
            training[key] = train(setup, dtype, training["steps"], training["rate"])
    gradients = {name[5:]: name for name in step64 if name.startswith("grad.")}
    setup["gradients"] = [row(name, step64[key], step32[key]) for name, key in gradients.items()]
    statistics = {name[7:]: name for name in step64 if name.startswith("buffer.") and "running" in name}
    setup["buffers"] = [row(name, step64[key], step32[key]) for name, key in statistics.items()]
    write_json(path, setup)

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.binary, path.name, folder + "/out.safetensors"], check=True)
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
    print(f"{'max|a-b| / max|b|':46} {'d32-t32':>9} {'d32-t64':>9} {'t32-t64':>9} {'d64-t64':>9}")
    for name, *errors in rows:
        print(f"{name:46} " + " ".join(f"{e:9.2e}" for e in errors))
    expect("largest gradient or statistics error, ditto f32 - PyTorch f32", max(r[1] for r in rows), 1e-4)
    # A tensor that PyTorch f32 has right to the last bit leaves room for one rounding.
    ratios = np.array([r[2] / max(r[3], 2.0**-24) for r in rows])
    what = "ratio of errors against PyTorch f64, ditto f32 : PyTorch f32, "
    expect(what + "geometric mean", float(np.exp(np.log(ratios).mean())), 2.0)
    for kind, chosen in (("gradient", gradients), ("running statistic", statistics)):
        expect(what + "largest of a " + kind, float(max(x for x, r in zip(ratios, rows) if r[0] in chosen)),
               WORST_RATIO[kind])
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
