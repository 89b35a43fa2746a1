#!/usr/bin/env python3
"""Pairs ditto's pair losses with the same formulas in PyTorch on this machine, in turn, and prints ratios.

    venv/bin/python tests/reference/bench_pair_losses.py --bench build/release/apps/bench --rows 4096 --rounds 5

supcon, tcl and nt-xent are written as their authors' code writes them: the n x n matrix of similarities, its maximum,
exponentials, masks, logarithms. With --metric-learning also pytorch-metric-learning's SupConLoss, NTXentLoss and
MultiSimilarityLoss, where that package is installed. Each round runs ditto and PyTorch one after the other, every one in
a process of its own with the same number of threads; a sample is forward and backward of embeddings of 128 numbers. Per
round and program the median counts; the ratios are of those medians, round by round.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time


def formulas(torch, metric_learning):
    def similarities(x, temperature):
        z = torch.nn.functional.normalize(x)
        logits = z @ z.T / temperature
        return logits - logits.max(dim=1, keepdim=True).values.detach()

    def supcon(x, labels, samples, ids=None, temperature=0.1):
        mask = (labels[:, None] == labels[None, :]).float()
        others = 1 - torch.eye(len(x))
        mask = mask * others
        logits = similarities(x, temperature)
        log_prob = logits - torch.log((torch.exp(logits) * others).sum(1, keepdim=True))
        return -((mask * log_prob).sum(1) / mask.sum(1).clamp(min=1)).mean()

    def nt_xent(x, labels, samples):
        return supcon(x, samples, samples, temperature=0.5)

    def tcl(x, labels, samples, temperature=0.1, k1=5000.0, k2=1.0):
        z = torch.nn.functional.normalize(x)
        dots = z @ z.T
        same = (labels[:, None] == labels[None, :]).float()
        positive = same * (1 - torch.eye(len(x)))
        e = torch.exp(dots / temperature)
        bottom = ((e + k1 * torch.exp(-dots)) * positive + k2 * e * (1 - same)).sum(1, keepdim=True)
        return -(((dots / temperature - torch.log(bottom)) * positive).sum(1) / positive.sum(1).clamp(min=1)).mean()

    table = {"supcon": supcon, "nt-xent": nt_xent, "tcl": tcl}
    if metric_learning:
        from pytorch_metric_learning import losses, miners
        sc, nt = losses.SupConLoss(), losses.NTXentLoss(temperature=0.5)
        ms, miner = losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5), miners.MultiSimilarityMiner(epsilon=0.1)
        table = {"supcon": lambda x, y, s: sc(x, y), "nt-xent": lambda x, y, s: nt(x, s),
                 "multi-similarity": lambda x, y, s: ms(x, y, miner(x, y))}
    return table


def peer(args):
    import torch
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    n = args.rows // 2
    x = torch.randn(2 * n, 128, requires_grad=True)
    samples = torch.arange(2 * n) % n
    labels = samples % 10
    loss = formulas(torch, args.metric_learning)[args.loss]

    def step():
        x.grad = None
        loss(x, labels, samples).backward()

    wall, cpu = [], []
    for i in range(args.warmup + args.repeats):
        w, c = time.perf_counter(), time.process_time()
        step()
        if i >= args.warmup:
            wall.append(time.perf_counter() - w)
            cpu.append(time.process_time() - c)
    print(json.dumps({"wall": statistics.median(wall), "cpu": statistics.median(cpu)}))


def ditto(args):
    text = subprocess.run([args.bench, "--what", "pair-loss", "--pair-loss", args.loss, "--batch", str(args.rows),
                           "--threads", str(args.threads), "--repeats", str(args.repeats), "--warmup",
                           str(args.warmup)], check=True, capture_output=True, text=True).stdout
    samples = json.loads(text.splitlines()[-1])["samples"]
    return {key: statistics.median(s[key] for s in samples) for key in ("wall", "cpu")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", default="build/release/apps/bench")
    parser.add_argument("--loss", default="supcon")
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--metric-learning", action="store_true", help="compare with pytorch-metric-learning")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args)
    ratios = {"wall": [], "cpu": []}
    for number in range(args.rounds):
        ours = ditto(args)
        theirs = json.loads(subprocess.run([sys.executable, __file__, "--peer"] + sys.argv[1:], check=True,
                                           capture_output=True, text=True).stdout)
        for key in ratios:
            ratios[key].append(theirs[key] / ours[key])
        print(json.dumps({"round": number, "ditto": ours, "peer": theirs}), flush=True)
    print(json.dumps({"loss": args.loss, "rows": args.rows, "threads": args.threads,
                      "ratio_wall": sorted(round(r, 2) for r in ratios["wall"]),
                      "ratio_cpu": sorted(round(r, 2) for r in ratios["cpu"])}))


if __name__ == "__main__":
    main()
