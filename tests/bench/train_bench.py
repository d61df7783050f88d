#!/usr/bin/python3
"""Samples a second of the main job (2 shards, 2 workers, batch 128, momentum) in each sync mode, and
in other set-ups, beside PyTorch's DistributedDataParallel over gloo on the same machine in the same
run, in turn.

Debian's OpenBLAS takes processors newer than itself for old ones, which slows PyTorch but not
Syncline, which names the kernels itself. So there are two references: PyTorch as installed, and
PyTorch told which kernels to use. A third is what no cluster can beat: two processes that train the
same model and never communicate.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

from bazel import ROOT, built

HERE = os.path.dirname(os.path.realpath(__file__))
JOB = os.path.join(ROOT, "deploy/examples/fashion_mnist_mlp.yaml")
DATA = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
MODES = {
    "sync": ["--sync_mode=sync"],
    "sync, one shard": ["--sync_mode=sync", "--shards=1"],
    "sync, one shard, local_aggregation": ["--sync_mode=sync", "--shards=1",
                                           "--local_aggregation"],
    "bounded": ["--sync_mode=bounded", "--staleness=3"],
    "async": ["--sync_mode=async"],
}
ROUNDS = 5
EPOCHS = 3


def build():
    binaries = built("//deploy/cli:syncline", "//server:syncline-ps", "//worker:syncline-worker",
                     "//server/coordinator:syncline-coordinator", "//tests/bench:train_alone")
    return (os.path.join(binaries, "deploy/cli/syncline"),
            os.path.join(binaries, "tests/bench/train_alone"))


def syncline(program, flags):
    """Samples a second, and where the time went, of one run."""
    with tempfile.TemporaryDirectory() as output:
        subprocess.run([program, "local", "-f", JOB, f"--output={output}", f"--epochs={EPOCHS}",
                        *flags], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(output, "status.json")) as file:
            status = json.load(file)
    workers = [worker["progress"] for worker in status["workers"]]
    longest = max(worker["total_seconds"] for worker in workers)
    total = sum(worker["total_seconds"] for worker in workers)
    shares = {key: sum(worker[key + "_seconds"] for worker in workers) / total
              for key in ("compute", "pull_wait", "push_wait")}
    shares["apply"] = (sum(shard["apply_seconds"] for shard in status["shards"]) /
                       len(status["shards"]) / longest)
    return int(status["samples_total"]) / longest, shares


def alone(program):
    """Samples a second of two processes together that never communicate."""
    runs = [subprocess.Popen([program, JOB, str(EPOCHS)], text=True, stdout=subprocess.PIPE)
            for _ in range(2)]
    speeds = [float(run.communicate()[0]) for run in runs]
    if any(run.returncode for run in runs):
        sys.exit("train: train_alone failed")
    return sum(speeds)


def torch(environment):
    script = os.path.join(HERE, "torch_ddp.py")
    files = [os.path.join(DATA, "train-images-idx3-ubyte.gz"),
             os.path.join(DATA, "train-labels-idx1-ubyte.gz")]
    run = subprocess.run(["/usr/bin/python3", script, *files, str(EPOCHS)], text=True, check=True,
                         stdout=subprocess.PIPE, env={**os.environ, **environment})
    return float(run.stdout)


def kernels():
    """The kernels OpenBLAS should use here, as worker/backend/cpu/blas.cc chooses them."""
    with open("/proc/cpuinfo") as file:
        flags = next(line for line in file if line.startswith("flags")).split()
    if "avx512vl" in flags:
        return "SkylakeX"
    return "Haswell" if "avx2" in flags else "Nehalem"


def report(name, value, unit, reference, at_least):
    ratio = value / reference if reference else None
    print(json.dumps({"group": "train", "name": name, "value": round(value, 4), "unit": unit,
                      "reference": reference and round(reference, 1),
                      "ratio": ratio and round(ratio, 3), "at_least": at_least}), flush=True)


def main():
    program, lonely = build()
    has_torch = subprocess.run(["/usr/bin/python3", "-c", "import torch"],
                               stderr=subprocess.DEVNULL).returncode == 0
    if not has_torch:
        print("train: python3-torch is not installed, so there is no reference to compare with",
              file=sys.stderr)
    speeds = {mode: [] for mode in MODES}
    shares = {mode: [] for mode in MODES}
    plain, told, apart = [], [], []
    for _ in range(ROUNDS):
        for mode, flags in MODES.items():
            speed, share = syncline(program, flags)
            speeds[mode].append(speed)
            shares[mode].append(share)
        apart.append(alone(lonely))
        if has_torch:
            plain.append(torch({}))
            told.append(torch({"OPENBLAS_CORETYPE": kernels()}))
    for name in MODES:
        speed = statistics.median(speeds[name])
        report(f"{name}, beside DDP", speed, "samples/s",
               statistics.median(plain) if plain else None, 1.0)
        report(f"{name}, beside DDP with OPENBLAS_CORETYPE={kernels()}", speed, "samples/s",
               statistics.median(told) if told else None, None)
        report(f"{name}, beside two processes that never communicate", speed, "samples/s",
               statistics.median(apart), 0.9 if name.startswith("sync") else None)
        for key in ("compute", "pull_wait", "push_wait", "apply"):
            report(f"{name}, share of time: {key}",
                   statistics.median(share[key] for share in shares[name]), "of 1", None,
                   None)


if __name__ == "__main__":
    main()
