"""Outputs and gradients of PyTorch (float64) for ditto's differentiable ops, read by
tests/autograd/op_values_test.cpp.

Usage: python3 op_values.py   (PyTorch 2.x; writes op_values.json beside itself)

Every case has inputs from integer hashes (or, where single values matter, given ones), the op's parameters, the digest
of the output y and of d<y, dy>/d(input), dy again from a hash. Arrays are in ditto's layouts: images (N, H, W, C),
convolution weights (O, kH, kW, I); `nchw` and `nhwc` convert around the calls of PyTorch, inside its graph, so that
its gradients come back in ditto's layout by themselves.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from hash_values import digest, hash_values, name_seed, write_json

CASES = []


def rand(*shape, low=-1.0, high=1.0, grad=True):
    return {"shape": list(shape), "low": low, "high": high, "grad": grad}


def given(shape, values, grad=True):
    return {"shape": list(shape), "values": values, "grad": grad}


def ints(values):
    return {"shape": [len(values)], "ints": values}


def tensor_of(spec):
    if "ints" in spec:
        return torch.tensor(spec["ints"], dtype=torch.int64)
    flat = spec.get("values")
    if flat is None:
        flat = hash_values(spec["seed"], int(np.prod(spec["shape"])), spec["low"], spec["high"])
    return torch.tensor(flat, dtype=torch.float64).reshape(spec["shape"]).requires_grad_(spec["grad"])


def case(name, inputs, function, **params):
    """`function` takes the inputs as tensors and returns y, or (y, tensors that the op changed in place)."""
    inputs = [dict(spec) for spec in inputs]
    for i, spec in enumerate(inputs):
        if "low" in spec:
            spec["seed"] = name_seed(f"{name}/{i}")
    tensors = [tensor_of(spec) for spec in inputs]
    result = function(*tensors)
    y, changed = result if isinstance(result, tuple) else (result, [])
    dy = torch.tensor(hash_values(name_seed(name + "/dy"), y.numel())).reshape(y.shape)
    y.backward(dy)
    CASES.append(
        {
            "name": name,
            "inputs": inputs,
            "params": params,
            "dy_seed": name_seed(name + "/dy"),
            "y": digest(y.detach()),
            "changed": [digest(t.detach()) for t in changed],
            "grads": [digest(t.grad) if t.requires_grad else None for t in tensors],
        }
    )


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


# Elementwise, one argument.
UNARY = {
    "neg": (torch.neg, -1, 1),
    "abs": (torch.abs, -1, 1),
    "exp": (torch.exp, -3, 3),
    "log": (torch.log, 0.125, 4),
    "sqrt": (torch.sqrt, 0.125, 4),
    "rsqrt": (torch.rsqrt, 0.125, 4),
    "square": (torch.square, -2, 2),
    "sin": (torch.sin, -8, 8),
    "cos": (torch.cos, -8, 8),
    "tanh": (torch.tanh, -4, 4),
    "sigmoid": (torch.sigmoid, -8, 8),
    "softplus": (lambda x: -F.logsigmoid(-x), -8, 8),  # F.softplus gives x itself from x = 20 on
    "log_sigmoid": (F.logsigmoid, -8, 8),
    "silu": (F.silu, -8, 8),
    "gelu": (F.gelu, -4, 4),
    "relu": (F.relu, -1, 1),
}
for op, (function, low, high) in UNARY.items():
    case(op, [rand(3, 5, low=float(low), high=float(high))], function)
SPECIAL = [-1000.0, -40.0, -1.0, 0.0, 1.0, 40.0, 1000.0]
for op in ["relu", "abs", "tanh", "sigmoid", "log_sigmoid", "silu", "gelu", "softplus"]:
    case(op + "/far", [given([7], SPECIAL)], UNARY[op][0])

# Elementwise, two arguments, with broadcasting.
BINARY = {
    "add": (torch.add, -2.0),
    "sub": (torch.sub, -2.0),
    "mul": (torch.mul, -2.0),
    "div": (torch.div, 0.5),
    "maximum": (torch.maximum, -2.0),
    "minimum": (torch.minimum, -2.0),
    "pow": (torch.pow, 0.5),
}
SHAPES = {
    "same": ([2, 3, 4], [2, 3, 4]),
    "vector": ([2, 3, 4], [4]),
    "outer": ([3, 1], [1, 4]),
    "middle": ([2, 1, 4], [3, 1]),
    "scalar": ([2, 3], []),
    "ones": ([1, 1], [2, 3, 1]),
}
for op, (function, low) in BINARY.items():
    for kind, (a, b) in SHAPES.items():
        case(f"{op}/{kind}", [rand(*a, low=low, high=2.0), rand(*b, low=low, high=2.0)], function)
case("maximum/ties", [given([4], [1.0, 2.0, 3.0, -0.0]), given([4], [1.0, 3.0, 2.0, 0.0])], torch.maximum)
case("minimum/ties", [given([4], [1.0, 2.0, 3.0, -0.0]), given([4], [1.0, 3.0, 2.0, 0.0])], torch.minimum)
case("pow/zero", [given([4], [0.0, 0.0, 2.0, -2.0]), given([4], [2.0, 1.0, 0.0, 3.0], grad=False)], torch.pow)
case("pow_scalar/cube", [rand(2, 5)], lambda x: x**3.0, exponent=3.0)
case("pow_scalar/root", [rand(2, 5, low=0.25)], lambda x: x**-0.5, exponent=-0.5)
case("maximum_scalar", [rand(2, 5)], lambda x: torch.maximum(x, torch.tensor(0.25)), bound=0.25)
case("minimum_scalar", [rand(2, 5)], lambda x: torch.minimum(x, torch.tensor(0.25)), bound=0.25)
case("clamp", [rand(3, 5)], lambda x: torch.clamp(x, -0.5, 0.25), low=-0.5, high=0.25)
case("leaky_relu", [rand(3, 5)], lambda x: F.leaky_relu(x, 0.125), slope=0.125)
case("leaky_relu/zero", [given([3], [-1.0, 0.0, 1.0])], lambda x: F.leaky_relu(x, 0.25), slope=0.25)
case(
    "operators",
    [rand(2, 3, low=0.5, high=2.0), rand(3, low=0.5, high=2.0)],
    lambda a, b: (2.0 - a) * (a + 3.0) / b + 1.5 / a - (a - 0.5) * 0.25 + (-b) * (b / 4.0) + (1.25 + a) * (3.0 * b),
)
# One tensor in several places of the graph: gradients add up.
case("reuse", [rand(3, 4)], lambda x: torch.sin(x) * x + torch.exp(x) * torch.sum(x, 0) - x)

# Reductions.
case("sum", [rand(3, 5)], torch.sum)
case("mean", [rand(3, 5)], torch.mean)
for dim in [0, 1, -1]:
    for keepdim in [False, True]:
        tag = f"dim{dim}{'_keep' if keepdim else ''}"
        params = {"dim": dim, "keepdim": keepdim}
        case(f"sum_dim/{tag}", [rand(2, 3, 4)], lambda x: torch.sum(x, dim, keepdim), **params)
        case(f"mean_dim/{tag}", [rand(2, 3, 4)], lambda x: torch.mean(x, dim, keepdim), **params)
        case(f"max/{tag}", [rand(2, 3, 4)], lambda x: torch.max(x, dim, keepdim).values, **params)
TIES = given([2, 3], [1.0, 2.0, 2.0, 3.0, 3.0, 3.0])
case("max/ties", [TIES], lambda x: torch.max(x, 1).values, dim=1, keepdim=False)
case("sum_to", [rand(2, 3, 4)], lambda x: x.sum(0).sum(0, keepdim=True), shape=[1, 4])

# Movement.
case("reshape", [rand(2, 3, 4)], lambda x: x.reshape(4, -1), shape=[4, -1])
case("flatten", [rand(2, 3, 4)], lambda x: x.flatten(1), start=1)
case("permute", [rand(2, 3, 4, 2)], lambda x: x.permute(3, 1, 0, 2), order=[3, 1, 0, 2])
case("transpose", [rand(2, 3, 4)], lambda x: x.transpose(0, 2), a=0, b=2)
case("slice/range", [rand(3, 7)], lambda x: x[:, 1:5], dim=1, begin=1, end=5, step=1)
case("slice/negative", [rand(7, 3)], lambda x: x[-5:-1], dim=0, begin=-5, end=-1, step=1)
case("slice/step", [rand(2, 7, 3)], lambda x: x[:, 1:100:3], dim=1, begin=1, end=100, step=3)
case("concat/rows", [rand(2, 3), rand(1, 3), rand(3, 3)], lambda *x: torch.cat(x, 0), dim=0)
case("concat/channels", [rand(2, 2, 3), rand(2, 2, 1)], lambda *x: torch.cat(x, -1), dim=-1)
case("pad", [rand(2, 3, 2)], lambda x: F.pad(x, (1, 0, 0, 2)), before=[0, 0, 1], after=[0, 2, 0], value=0.0)
case("pad/value", [rand(2, 3)], lambda x: F.pad(x, (2, 1, 1, 0), value=0.5), before=[1, 2], after=[0, 1], value=0.5)
case("broadcast_to", [rand(3, 1)], lambda x: x.expand(2, 3, 4), shape=[2, 3, 4])
case("clone", [rand(2, 3)], torch.clone)
case("cast", [rand(2, 3)], lambda x: x.to(torch.float64) * x)
case("index_select", [rand(4, 3), ints([2, 0, 2, 3, 2])], lambda x, i: x[i])

# Products.
case("matmul", [rand(5, 7), rand(7, 3)], torch.matmul)
case("matmul/column", [rand(4, 6), rand(6, 1)], torch.matmul)
case("linear", [rand(5, 7), rand(3, 7), rand(3)], F.linear)
case("linear/rank3", [rand(2, 3, 5), rand(4, 5), rand(4)], F.linear)
case("linear/no_bias", [rand(5, 7), rand(3, 7)], F.linear)


def conv(x, w, bias, p):
    return nhwc(F.conv2d(nchw(x), nchw(w), bias, p["stride"], p["padding"], p["dilation"], p["groups"]))


CONV = {
    # name: (x, w, bias, {stride, padding, dilation, groups})
    "same": ([2, 5, 6, 3], [4, 3, 3, 3], False, {"padding": 1}),
    "bias": ([2, 5, 6, 3], [4, 3, 3, 3], True, {"padding": 1}),
    "valid": ([1, 6, 5, 2], [3, 3, 2, 2], False, {}),
    "stride2": ([2, 8, 7, 3], [4, 3, 3, 3], False, {"stride": 2, "padding": 1}),
    "stride3": ([1, 9, 8, 2], [2, 3, 3, 2], True, {"stride": 3}),
    "pointwise": ([2, 4, 4, 5], [3, 1, 1, 5], True, {}),
    "pointwise_stride2": ([2, 5, 5, 4], [6, 1, 1, 4], False, {"stride": 2}),
    "dilation2": ([1, 8, 8, 2], [3, 3, 3, 2], False, {"padding": 2, "dilation": 2}),
    "all": ([2, 9, 8, 4], [6, 3, 2, 2], True, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}),
    "groups2": ([2, 5, 5, 4], [6, 3, 3, 2], True, {"padding": 1, "groups": 2}),
    "depthwise": ([1, 6, 6, 4], [4, 3, 3, 1], False, {"padding": 1, "groups": 4}),
    "kernel5": ([1, 7, 7, 2], [3, 5, 5, 2], True, {"padding": 2}),
    "one_image_channel": ([3, 6, 6, 1], [2, 3, 3, 1], True, {"padding": 1}),
    "wide": ([1, 5, 5, 16], [16, 3, 3, 16], False, {"padding": 1}),
}
for kind, (x, w, bias, changed) in CONV.items():
    p = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **changed}
    inputs = [rand(*x), rand(*w)] + ([rand(w[0])] if bias else [])
    case(f"conv2d/{kind}", inputs, lambda x, w, b=None: conv(x, w, b, p), **p)


def batch_norm(x, gamma, beta, mean, var, residual=None, *, training, relu, eps=1e-5, momentum=0.1):
    channels_first = x.movedim(-1, 1)
    mean, var = mean.detach().clone(), var.detach().clone()
    y = F.batch_norm(channels_first, mean, var, gamma, beta, training, momentum, eps).movedim(1, -1)
    if residual is not None:
        y = y + residual
    return F.relu(y) if relu else y, [mean, var]


STATISTICS = [rand(3, low=-0.5, high=0.5, grad=False), rand(3, low=0.5, high=1.5, grad=False)]
for training in [True, False]:
    for relu in [False, True]:
        for residual in [False, True]:
            tag = ("train" if training else "eval") + ("_relu" if relu else "") + ("_residual" if residual else "")
            inputs = [rand(4, 3, 2, 3, low=-1.0, high=3.0), rand(3, low=0.5, high=1.5), rand(3)] + STATISTICS
            inputs += [rand(4, 3, 2, 3)] if residual else []
            p = {"training": training, "relu": relu}
            case(f"batch_norm/{tag}", inputs, lambda *t: batch_norm(*t, **p), **p, eps=1e-5, momentum=0.1)
p = {"training": True, "relu": False, "eps": 0.125, "momentum": 0.25}
inputs = [rand(7, 3), rand(3, low=0.5, high=1.5), rand(3)] + STATISTICS
case("batch_norm/rows_eps_momentum", inputs, lambda *t: batch_norm(*t, **p), **p)

# Pooling. Without padding in the divisor, border windows average what they have.
POOL = {
    "plain": ([2, 4, 6, 3], {}),
    "overlap": ([1, 7, 6, 2], {"kernel": 3, "stride": 2}),
    "padded": ([2, 6, 5, 2], {"kernel": 3, "stride": 2, "padding": 1}),
    "same": ([1, 4, 5, 2], {"kernel": 3, "stride": 1, "padding": 1}),
}
for kind, (shape, changed) in POOL.items():
    p = {"kernel": 2, "stride": 2, "padding": 0, **changed}
    window = (p["kernel"], p["stride"], p["padding"])
    case(f"max_pool2d/{kind}", [rand(*shape)], lambda x: nhwc(F.max_pool2d(nchw(x), *window)), **p)
    for include in [True, False] if p["padding"] else [True]:
        case(
            f"avg_pool2d/{kind}{'' if include else '_exclude_pad'}",
            [rand(*shape)],
            lambda x: nhwc(F.avg_pool2d(nchw(x), *window, False, include)),
            **p,
            include_pad=include,
        )
case("global_avg_pool2d", [rand(2, 3, 5, 4)], lambda x: x.mean((1, 2)))

# Softmax and losses. Soft targets need not sum to 1 (mixed and weighted labels).
for op, function in [("softmax", F.softmax), ("log_softmax", F.log_softmax)]:
    case(op, [rand(4, 5, low=-4.0, high=4.0)], lambda x: function(x, -1))
    case(op + "/rank3", [rand(2, 3, 4, low=-4.0, high=4.0)], lambda x: function(x, -1))
    case(op + "/far", [given([2, 3], [1e4, -1e4, 0.0, 1e4, 1e4, -3.0])], lambda x: function(x, -1))
LOGITS = rand(5, 4, low=-4.0, high=4.0)
LABELS = ints([1, 3, 0, 2, 1])
PARTLY = ints([1, -100, 0, -100, 3])
SOFT = rand(5, 4, low=0.0, high=1.0, grad=False)
MIXED = given([5, 4], [0.75, 0.25, 0, 0, 0, 0, 1, 0, 0.5, 0, 0, 0.5, 0.25, 0.25, 0.25, 0.25, 0, 0, 0.125, 0.875], False)
for kind, target, smoothing in [
    ("hard", LABELS, 0.0),
    ("smooth", LABELS, 0.125),
    ("ignore", PARTLY, 0.0),
    ("ignore_smooth", PARTLY, 0.125),
    ("soft", SOFT, 0.0),
    ("soft_smooth", SOFT, 0.125),
    ("mixed", MIXED, 0.0),
]:
    for op, reduction in [("cross_entropy_rows", "none"), ("cross_entropy", "mean"), ("cross_entropy_sum", "sum")]:
        case(
            f"{op}/{kind}",
            [LOGITS, target],
            lambda z, y: F.cross_entropy(z, y, reduction=reduction, label_smoothing=smoothing),
            smoothing=smoothing,
        )
case(
    "cross_entropy/far",
    [given([3, 3], [1e4, 0.0, -1e4, 0.0, 1e4, 0.0, -30.0, 30.0, 0.0]), ints([0, 2, 1])],
    F.cross_entropy,
    smoothing=0.0,
)


def group_kl(logits, groups, targets, anchor_grad):
    """D_KL(pbar_i || p_i), pbar_i the mean prediction of i's group, pairs weighed by label overlap if given."""
    weight = (groups[:, None] == groups[None, :]).double()
    if targets is not None:
        weight = weight * torch.minimum(targets[:, None], targets[None, :]).sum(-1)
    pbar = (weight / weight.sum(1, keepdim=True)) @ F.softmax(logits, 1)
    if not anchor_grad:
        pbar = pbar.detach()
    return (pbar * (pbar.log() - F.log_softmax(logits, 1))).sum(1)


GROUPS = ints([7, 2, 7, 7, 2])
for anchor_grad in [False, True]:
    tag = "anchor" if anchor_grad else "detached"
    case(f"group_kl/{tag}", [LOGITS, GROUPS], lambda z, g: group_kl(z, g, None, anchor_grad), anchor_grad=anchor_grad)
    case(
        f"group_kl/{tag}_overlap",
        [LOGITS, GROUPS, given([5, 4], MIXED["values"], False)],
        lambda z, g, y: group_kl(z, g, y, anchor_grad),
        anchor_grad=anchor_grad,
    )

write_json(
    pathlib.Path(__file__).with_name("op_values.json"),
    {
        "generator": f"op_values.py, PyTorch {torch.__version__}, float64",
        "hash": hash_values(1, 4).tolist(),
        "cases": CASES,
    },
)
print(len(CASES), "cases")
