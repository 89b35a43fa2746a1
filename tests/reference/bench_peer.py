#!/usr/bin/env python3
"""Pairs ditto's bench with PyTorch and torchvision on this machine, alternating, and prints ratios.

    python3 -m venv venv && venv/bin/pip install torch torchvision
    venv/bin/python tests/reference/bench_peer.py --bench build/release/apps/bench --rounds 5
    venv/bin/python tests/reference/bench_peer.py --model densenet40 --batch 64 --only train
    python3 tests/reference/bench_peer.py --bench build/cuda/apps/bench --device cuda --cuda-graph --only train

Each round runs ditto, PyTorch channels_last and PyTorch NCHW one after the other, every one in a process of its own with
the same number of threads. A sample is one training step (or one pass over 10,000 images); per round and program the
median counts, and over the rounds the best and the median of those; images per CPU second are what a busy machine
disturbs least (set OMP_WAIT_POLICY=passive, so that waiting is not counted as work). Growth of memory is the peak of the resident set
over its size before the model is made (PyTorch imported). Not equal: torchvision's batched transforms draw
one random crop and flip for a whole batch, ditto draws them for every image. With --device cuda both wait for the device
after every step; --cuda-graph replays the step in both (in PyTorch forward, loss and backward in a torch.cuda.CUDAGraph,
as ditto has it), --precision bf16 is autocast there, --tf32 allows it in both. PyTorch tries cuDNN's algorithms first (cudnn.benchmark).
"""
import argparse
import json
import statistics
import subprocess
import sys
import time


def status_bytes(key):
    """VmRSS (resident now) or VmHWM (its peak) of this process."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def timed(work, warmup, repeats):
    for _ in range(warmup):
        work()
    samples = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        samples.append((time.perf_counter() - wall, time.process_time() - cpu))
    return samples


def peer_train(args, layout):
    import torch
    from peer_models import MODELS
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    on_gpu = args.device == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.tf32
    torch.backends.cudnn.benchmark = True
    idle = status_bytes("VmRSS")
    net = MODELS[args.model]().to(args.device)
    x, y = torch.randn(args.batch, 3, 32, 32, device=args.device), torch.arange(args.batch, device=args.device) // 2 % 10
    if layout == "channels_last":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    if args.compile:
        net = torch.compile(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def gradients():
        # Autocast must not keep its casts of the weights from one step to the next inside a graph.
        with torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16", cache_enabled=not args.cuda_graph):
            loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()

    if args.cuda_graph:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                optimizer.zero_grad(set_to_none=True)
                gradients()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            gradients()  # a replay writes the gradients anew, so nothing has to be set to zero

    def step():
        if args.cuda_graph:
            graph.replay()
        else:
            optimizer.zero_grad(set_to_none=True)
            gradients()
        optimizer.step()
        if on_gpu:
            torch.cuda.synchronize()

    samples = timed(step, args.warmup, args.repeats)
    return args.batch, samples, status_bytes("VmHWM") - idle


def peer_augment(args, kind):
    import torch
    from torchvision.transforms import v2
    torch.set_num_threads(args.threads)
    images = torch.randint(0, 256, (10000, 3, 32, 32), dtype=torch.uint8)
    mean, std = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
    pipeline = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(),
                           v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])

    def batched():
        for i in range(0, len(images), args.batch):
            pipeline(images[i:i + args.batch])

    def per_image():  # what a user gets who wants a crop and flip of its own for every image
        for image in images:
            pipeline(image)

    work, repeats = (batched, args.repeats) if kind == "batched" else (per_image, 1)
    return len(images), timed(work, 1, repeats), 0


def run_peer(args, job):
    command = [sys.executable, __file__, "--job", job] + [f"--{k}={getattr(args, k)}" for k in
                                                          ("threads", "batch", "warmup", "repeats", "model", "device", "precision")]
    command += [f"--{flag}" for flag in ("compile", "cuda-graph", "tf32") if getattr(args, flag.replace("-", "_"))]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]
    return summary(*json.loads(line))


def run_ditto(args, what, name):
    command = [args.bench, "--what", what, "--threads", str(args.threads), "--batch", str(args.batch),
               "--warmup", str(args.warmup), "--repeats", str(args.repeats), "--device", args.device]
    command += ["--precision", args.precision] + [f for f in ("--cuda-graph", "--tf32") if getattr(args, f[2:].replace("-", "_"))]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        result = json.loads(line)
        if result["bench"] == name:
            samples = [(s["wall"], s["cpu"]) for s in result["samples"]]
            return summary(result["images"], samples, result["resident_growth_bytes"])
    raise SystemExit(f"{args.bench} printed no result {name}")


def summary(images, samples, growth):
    """Median and best images per second, images per CPU second, growth of memory."""
    walls = [s[0] for s in samples]
    return images / statistics.median(walls), images / min(walls), images / statistics.median(s[1] for s in samples), growth


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/release/apps/bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--model", default="resnet20", choices=["resnet20", "densenet40", "densenet-bc-100"])
    parser.add_argument("--compile", action="store_true", help="torch.compile the peer")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--cuda-graph", action="store_true")
    parser.add_argument("--only", choices=["train", "augment"])
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        kind, which = args.job.split(":")
        print(json.dumps((peer_train if kind == "train" else peer_augment)(args, which)))
        return
    import torch
    import torchvision
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, {args.threads} threads, batch {args.batch}, "
          f"{torch.cuda.get_device_name() if args.device == 'cuda' else 'CPU'}, {args.precision}")
    suites = {"train": {"ditto": lambda: run_ditto(args, args.model, args.model + "-train-cce"),
                        "PyTorch channels_last": lambda: run_peer(args, "train:channels_last"),
                        "PyTorch NCHW": lambda: run_peer(args, "train:nchw")},
              "augment": {"ditto": lambda: run_ditto(args, "augment", "augment-crop-flip-normalise"),
                          "torchvision v2, one draw per batch": lambda: run_peer(args, "augment:batched"),
                          "torchvision v2, one draw per image": lambda: run_peer(args, "augment:per_image")}}
    for name, programs in suites.items():
        if args.only and args.only != name:
            continue
        rates = {program: [] for program in programs}
        for _ in range(args.rounds):
            for program, run in programs.items():
                rates[program].append(run())
        print(f"\n{name if name == 'augment' else args.model + ' ' + name}: images per second")
        for program, values in rates.items():
            medians, best = [v[0] for v in values], max(v[1] for v in values)
            paired = [ours[0] / theirs[0] for ours, theirs in zip(rates["ditto"], values)]
            print(f"  {program:38s} median {statistics.median(medians):10.1f}  best {best:10.1f}   ditto is "
                  f"{statistics.median(paired):6.2f} x (rounds {min(paired):.2f} to {max(paired):.2f})   per CPU second "
                  f"{statistics.median(v[2] for v in values):.1f}"
                  + (f"   memory +{statistics.median(v[3] for v in values) / 2**20:.0f} MB" if values[0][3] else ""))


if __name__ == "__main__":
    main()
