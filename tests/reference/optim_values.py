"""Weights that PyTorch's optimizers reach, learning rates of its schedulers and clipped gradients (float64), read by
tests/nn/optim_test.cpp.

Usage: python3 optim_values.py   (PyTorch 2.x; writes optim_values.json beside itself)

Two parameters, (3, 4) and (3), start at hash values (seeds 1, 2) and get hash values as gradients (seed 100 + 10 step +
parameter), so the trajectories test the update rules alone; the rate changes on the way.
"""

import pathlib

import torch
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, MultiStepLR, OneCycleLR, SequentialLR

from hash_values import digest, hash_values, short, write_json

SHAPES = [(3, 4), (3,)]
RATES = [0.5, 0.5, 0.125, 0.125, 0.25, 0.25]
CASES, SCHEDULES = [], []


def values(seed, shape):
    return torch.tensor(hash_values(seed, torch.Size(shape).numel())).reshape(shape)


def trajectory(name, kind, options, decay=(0.0, 0.0), scales=(1.0, 1.0), decoupled=False, rate=1.0, missing=()):
    """`missing`: (step, parameter) pairs without a gradient. `decoupled`: SGD with the weights scaled beforehand, which
    PyTorch has for Adam only."""
    weights = [values(i + 1, shape).requires_grad_() for i, shape in enumerate(SHAPES)]
    groups = [
        {"params": [w], "lr": 1.0, "weight_decay": 0.0 if decoupled else decay[i]} for i, w in enumerate(weights)
    ]
    optimizer = {"sgd": SGD, "adam": Adam, "adamw": AdamW}[kind](groups, **options)
    kept = {}
    for step, factor in enumerate(RATES):
        for i, w in enumerate(weights):
            w.grad = None if (step, i) in missing else values(100 + 10 * step + i, SHAPES[i])
            optimizer.param_groups[i]["lr"] = rate * factor * scales[i]
            if decoupled and w.grad is not None:
                with torch.no_grad():
                    w *= 1 - rate * factor * scales[i] * decay[i]
        optimizer.step()
        if step in (0, 1, 5):
            kept[str(step)] = [digest(w.detach()) for w in weights]
    CASES.append(
        {
            "name": name,
            "kind": kind,
            "options": {**options, "decoupled": decoupled},
            "decay": list(decay),
            "scales": list(scales),
            "rate": rate,
            "missing": [list(pair) for pair in missing],
            "weights": kept,
        }
    )


def sgd(momentum=0.0, nesterov=False):
    return {"momentum": momentum, "nesterov": nesterov}


def adam(beta1=0.9, beta2=0.999, eps=1e-8):
    return {"betas": [beta1, beta2], "eps": eps}


trajectory("sgd", "sgd", sgd())
trajectory("sgd momentum", "sgd", sgd(0.9))
trajectory("sgd Nesterov", "sgd", sgd(0.75, True))
trajectory("sgd L2", "sgd", sgd(0.9), decay=(0.125, 0.125))
trajectory("sgd Nesterov L2", "sgd", sgd(0.9, True), decay=(0.125, 0.125))
trajectory("sgd decoupled", "sgd", sgd(0.9), decay=(0.125, 0.125), decoupled=True)
trajectory("sgd groups", "sgd", sgd(0.9), decay=(0.25, 0.0), scales=(1.0, 2.0))
trajectory("sgd missing gradients", "sgd", sgd(0.9), decay=(0.125, 0.125), missing=((1, 0), (0, 1), (4, 1)))
trajectory("adam", "adam", adam(), rate=0.0625)
trajectory("adam L2", "adam", adam(0.75, 0.875, 1e-3), decay=(0.125, 0.125), rate=0.0625)
trajectory("adamw", "adamw", adam(), decay=(0.5, 0.5), rate=0.0625)
trajectory("adamw groups", "adamw", adam(0.9, 0.95), decay=(0.5, 0.0), scales=(1.0, 0.5), rate=0.0625)


def schedule(name, options, make, steps, lr=0.8):
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(short(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step() if len(rates) < steps else None
    SCHEDULES.append({"name": name, "options": {"lr": lr, "total_steps": steps, **options}, "rates": rates})


def warm(steps, make):
    return lambda o: SequentialLR(o, [LinearLR(o, 1 / steps, total_iters=steps - 1), make(o)], [steps])


for n in [1, 8, 25]:
    schedule("constant", {"kind": "constant"}, lambda o: MultiStepLR(o, [1000]), n)
    schedule("cosine", {"kind": "cosine"}, lambda o: CosineAnnealingLR(o, n), n)
for n in [20, 25, 10]:
    schedule("one cycle", {"kind": "onecycle"}, lambda o: OneCycleLR(o, 0.8, n, cycle_momentum=False), n)
schedule(
    "one cycle, options",
    {"kind": "onecycle", "peak": 0.5, "initial_factor": 0.125},
    lambda o: OneCycleLR(o, 0.8, 16, pct_start=0.5, div_factor=8, cycle_momentum=False),
    16,
)
schedule("multi-step", {"kind": "multistep"}, lambda o: MultiStepLR(o, [10, 15], 0.1), 20)
schedule(
    "multi-step, options",
    {"kind": "multistep", "milestones": [0.25, 0.5, 0.875], "gamma": 0.5},
    lambda o: MultiStepLR(o, [4, 8, 14], 0.5),
    16,
)
schedule(
    "cosine to a floor", {"kind": "cosine", "final_factor": 0.25}, lambda o: CosineAnnealingLR(o, 12, 0.2), 12
)
schedule("warm-up, constant", {"kind": "constant", "warmup_steps": 5}, warm(5, lambda o: MultiStepLR(o, [1000])), 12)
schedule("warm-up, cosine", {"kind": "cosine", "warmup_steps": 4}, warm(4, lambda o: CosineAnnealingLR(o, 12)), 16)

CLIPPED = []
for bound in [0.5, 2.0, 100.0]:
    weights = [values(i + 1, shape).requires_grad_() for i, shape in enumerate(SHAPES)]
    for i, w in enumerate(weights):
        w.grad = values(100 + i, SHAPES[i])
    norm = torch.nn.utils.clip_grad_norm_(weights, bound)
    CLIPPED.append({"max_norm": bound, "norm": short(norm), "grads": [digest(w.grad) for w in weights]})

write_json(
    pathlib.Path(__file__).with_name("optim_values.json"),
    {
        "generator": f"optim_values.py, PyTorch {torch.__version__}, float64",
        "shapes": SHAPES,
        "rates": RATES,
        "trajectories": CASES,
        "schedules": SCHEDULES,
        "clipped": CLIPPED,
    },
)
