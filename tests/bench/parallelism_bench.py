#!/usr/bin/python3
"""Several workers on one model: all-reduce beside PyTorch's DistributedDataParallel over gloo and beside the parameter
server, the bandwidth of its sum, and two workers for one model, as stages and as parts of each layer, beside one. In turn,
on this machine.
"""
import json
import os
import statistics
import subprocess
import tempfile

from bazel import built
from train_bench import kernels, syncline, torch

ROUNDS = 5
EPOCHS = 3
# Eight layers that take equally long, large enough that messages are short beside them, and batches large enough to be
# cut into many parts that each keep a core busy: with M of them a stage of two waits for 1 / (M + 1) of its time.
MICRO_BATCHES = 16
DEEP = """
name: deep
model:
  input: 1024
  layers: [{layers}]
  loss: mean_squared_error
data: {{format: random_linear, samples: 8192}}
batch_size: 2048
epochs: 4
optimizer: {{kind: sgd, learning_rate: 0.0001}}
workers: 1
shards: 1
""".format(layers=", ".join(["linear: {units: 1024}", "relu"] * 8 + ["linear: {units: 1}"]))


def report(name, value, unit, reference, **wanted):
    print(json.dumps({"group": "parallelism", "name": name, "value": round(value, 4), "unit": unit,
                      "reference": reference and round(reference, 4),
                      "ratio": round(value / reference, 3) if reference else None, **wanted}), flush=True)


def deep(program, job, flags):
    """Samples a second, and the share of its time that each stage waited."""
    with tempfile.TemporaryDirectory() as output:
        subprocess.run([program, "local", "-f", job, f"--output={output}", *flags], check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(output, "status.json")) as file:
            status = json.load(file)
    seconds = max(worker["progress"]["total_seconds"] for worker in status["workers"])
    stages = [p["progress"] for team in status.get("teams", []) for p in team["processes"]]
    return int(status["samples_total"]) / seconds, [s["idle_seconds"] / s["pipeline_seconds"] for s in stages]


def main():
    binaries = built("//deploy/cli:syncline", "//server:syncline-ps", "//worker:syncline-worker",
                     "//server/coordinator:syncline-coordinator", "//tests/bench:collective")
    program = os.path.join(binaries, "deploy/cli/syncline")
    subprocess.run([os.path.join(binaries, "tests/bench/collective")], check=True)

    runs = {"allreduce": [], "ps": [], "torch": [], "torch, told its kernels": [], "network": [], "ps, network": []}
    for _ in range(ROUNDS):
        runs["allreduce"].append(syncline(program, ["--aggregation=allreduce"])[0])
        runs["ps"].append(syncline(program, [])[0])
        runs["network"].append(syncline(program, ["--aggregation=allreduce", "--noshared_memory"])[0])
        runs["ps, network"].append(syncline(program, ["--noshared_memory"])[0])
        runs["torch"].append(torch({}))
        runs["torch, told its kernels"].append(torch({"OPENBLAS_CORETYPE": kernels()}))
    speed = {name: statistics.median(values) for name, values in runs.items()}
    for other, wanted in (("torch", 1.0), ("torch, told its kernels", 1.0), ("ps", None)):
        report(f"all-reduce, 2 workers / {other}", speed["allreduce"], "samples/s", speed[other],
               **({"at_least": wanted} if wanted else {}))
    report("all-reduce through the network / ps through the network", speed["network"], "samples/s",
           speed["ps, network"])

    with tempfile.TemporaryDirectory() as folder:
        job = os.path.join(folder, "deep.yaml")
        with open(job, "w") as file:
            file.write(DEEP)
        one, two, idle, parts, waited = [], [], [], [], []
        for _ in range(ROUNDS):
            one.append(deep(program, job, [])[0])
            speed, stages = deep(program, job, ["--workers=2", "--pipeline_stages=2",
                                                 f"--pipeline_micro_batches={MICRO_BATCHES}"])
            two.append(speed)
            idle.append(max(stages))
            speed, processes = deep(program, job, ["--workers=2", "--tensor_parallel_size=2"])
            parts.append(speed)
            waited.append(max(processes))
    report("pipeline of 2 stages / 1 stage, equal layers", statistics.median(two), "samples/s", statistics.median(one),
           at_least=1.6)
    report("idle share of the stage that waits most / (S - 1) / (M + S - 1)", statistics.median(idle), "share",
               1 / (MICRO_BATCHES + 1))
    report("2 workers that share each layer / 1 worker, equal layers", statistics.median(parts), "samples/s",
           statistics.median(one))
    report("share of its time that a worker waited for the other", statistics.median(waited), "share", None)


if __name__ == "__main__":
    main()
