#!/usr/bin/python3
"""A step of a 4-layer MLP with its shard behind a link of 1 Gbit/s, beside the longer of computing alone
and communicating alone: how well the two overlap.

Shard and coordinator run in one network namespace, the worker in another, with a pair of virtual
interfaces between them, each limited by a token bucket (tc-tbf). Computing alone is the same job with the
shard beside the worker, less all waits; communicating alone is the same job with one sample a step.
Needs root and the programs ip and tc (package iproute2); without them it says so and measures nothing.
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from bazel import built

RATE = "1gbit"
BATCHES = [256, 512, 1024, 2048]  # at 1024 computing takes nearly as long as communicating
STEPS = 100  # the worker tells tenths of a second
ROUNDS = 3
NAMES = [f"syncline-{os.getpid()}-{side}" for side in ("shard", "worker")]
ADDRESSES = ["10.213.7.1", "10.213.7.2"]
JOB = """
name: slow-link
model:
  input: 784
  layers:
    - linear: {units: 512}
    - relu
    - linear: {units: 512}
    - relu
    - linear: {units: 512}
    - relu
    - linear: {units: 1}
  loss: mean_squared_error
data: {format: random_linear, samples: 65536}
optimizer: {learning_rate: 1e-6}
epochs: 1000
"""
DONE = re.compile(r"(\d+) steps, .* in ([\d.]+) s: compute ([\d.]+) s, pull wait ([\d.]+) s")


def build():
    targets = {"coordinator": "server/coordinator/syncline-coordinator",
               "ps": "server/syncline-ps", "worker": "worker/syncline-worker"}
    binaries = built(*["//" + ":".join(t.rsplit("/", 1)) for t in targets.values()])
    return {name: os.path.join(binaries, target) for name, target in targets.items()}


def call(*command):
    subprocess.run(command, check=True)


class Link:
    """Two namespaces and what joins them."""

    def __enter__(self):
        for name in NAMES:
            call("ip", "netns", "add", name)
        call("ip", "link", "add", "veth0", "netns", NAMES[0], "type", "veth", "peer", "name",
             "veth0", "netns", NAMES[1])
        for name, address in zip(NAMES, ADDRESSES):
            call("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "veth0")
            call("ip", "-n", name, "link", "set", "veth0", "up")
            call("ip", "-n", name, "link", "set", "lo", "up")
            # A real card sends packets of 1500 bytes; a bucket must hold at least one of those given to it.
            call("tc", "-n", name, "qdisc", "add", "dev", "veth0", "root", "tbf", "rate", RATE,
                 "burst", "256k", "latency", "20ms")
        return self

    def __exit__(self, *_):
        for name in NAMES:
            subprocess.run(["ip", "netns", "del", name], check=False)


def run(programs, batch, worker_side, *settings):
    """Seconds a step takes, computing and all told, of one run of the job."""
    with tempfile.TemporaryDirectory() as folder:
        job = os.path.join(folder, "job.yaml")
        with open(job, "w") as file:
            file.write(JOB + f"batch_size: {batch}\nmax_steps: {STEPS}\n" + "\n".join(settings))

        def start(side, name, *flags):
            with open(os.path.join(folder, name), "w") as log:
                return subprocess.Popen(["ip", "netns", "exec", NAMES[side], programs[name], *flags,
                                         "--allow_plaintext"], stdout=log, stderr=log)
        coordinator = f"{ADDRESSES[0]}:7000"
        daemons = [start(0, "coordinator", f"--job={job}", f"--listen={coordinator}"),
                   start(0, "ps", f"--coordinator={coordinator}",
                         f"--listen={ADDRESSES[0]}:7001")]
        worker = start(worker_side, "worker", f"--coordinator={coordinator}", "--device=cpu")
        try:
            worker.wait(timeout=120)
        finally:
            for daemon in [*daemons, worker]:
                daemon.terminate()
            for daemon in [*daemons, worker]:
                daemon.wait()
        with open(os.path.join(folder, "worker")) as log:
            text = log.read()
    found = DONE.search(text)
    if not found:
        raise OSError("the worker made no steps:\n" + text[-2000:])
    steps, total, compute = (float(found.group(i)) for i in (1, 2, 3))
    return compute / steps, total / steps


def main():
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        print("slow_link: needs root, ip and tc (package iproute2); not measured", file=sys.stderr)
        return
    programs = build()
    together, computing = ({batch: [] for batch in BATCHES} for _ in range(2))
    communicating = []
    with Link():
        for _ in range(ROUNDS):
            for batch in BATCHES:
                together[batch].append(run(programs, batch, 1)[1])
                computing[batch].append(run(programs, batch, 0)[0])
            communicating.append(run(programs, 1, 1)[1])
            time.sleep(0.1)
    communicate = statistics.median(communicating)
    for batch in BATCHES:
        step, compute = statistics.median(together[batch]), statistics.median(computing[batch])
        print(f"batch {batch}: computing alone {1e3 * compute:.1f} ms, communicating alone "
              f"{1e3 * communicate:.1f} ms", file=sys.stderr)
        limit = max(compute, communicate)
        print(json.dumps({"group": "slow_link",
                          "name": f"batch {batch}, step over 1 Gbit/s / the longer part alone",
                          "value": round(1e3 * step, 2), "unit": "ms",
                          "reference": round(1e3 * limit, 2), "ratio": round(step / limit, 3),
                          "at_most": 1.15}))


if __name__ == "__main__":
    main()
