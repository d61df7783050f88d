#!/usr/bin/python3
"""What it costs training that shards come and go: the time its worker waited for weights and acknowledgements
while chunks moved, more than it waits otherwise, for each GB of weights moved; and the bytes moved, beside
the fewest that balance the shards. One worker, a wide MLP, from 2 shards to 5 and back to 2, several times: a step's
waits differ by more than one change costs, and what is usual is the mean of all the while that nothing moves. With
arguments, only the ways that begin with one of them, say sync/memory.
"""
import collections
import json
import os
import subprocess
import sys
import tempfile
import time

from bazel import built

WINDOW = 4  # seconds; a worker reports about every second
CHANGES = (5, 2, 5, 2, 5, 2)
JOB = """
name: rescale
model:
  input: 784
  layers:
    - linear: {units: 8192}
    - relu
    - linear: {units: 4096}
    - relu
    - linear: {units: 1}
  loss: mean_squared_error
data: {format: random_linear, samples: 65536}
optimizer: {learning_rate: 1e-6}
batch_size: 64
epochs: 1000
shards: 2
workers: 1
"""


class Job:
    def __init__(self, folder, flags):
        binaries = built("//deploy/cli:syncline", "//server:syncline-ps",
                         "//worker:syncline-worker", "//server/coordinator:syncline-coordinator")
        self.syncline = os.path.join(binaries, "deploy/cli/syncline")
        manifest = os.path.join(folder, "job.yaml")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(JOB)
        self.process = subprocess.Popen(
            [self.syncline, "local", "-f", manifest, "--output=" + folder, *flags],
            stdout=subprocess.DEVNULL)
        port = os.path.join(folder, "logs/coordinator.port")
        while not os.path.exists(port):
            time.sleep(0.1)
        with open(port, encoding="utf-8") as file:
            self.coordinator = "--coordinator=" + file.readline().strip()
        while int(self.status()["step"]) < 5:
            time.sleep(0.2)

    def status(self):
        out = subprocess.run([self.syncline, "status", self.coordinator, "--json"], text=True,
                             stdout=subprocess.PIPE, check=True).stdout
        return json.loads(out)

    def waits(self):
        """Steps made and seconds waited so far, as the worker reported last."""
        p = self.status()["workers"][0]["progress"]
        return int(p["clock"]), p["pull_wait_seconds"] + p["push_wait_seconds"]

    def waited(self, doing):
        """Steps and seconds waited from now until WINDOW seconds after `doing`."""
        before = self.waits()
        doing()
        time.sleep(WINDOW)
        after = self.waits()
        return after[0] - before[0], after[1] - before[1]

    def scale(self, shards):
        subprocess.run([self.syncline, "scale", self.coordinator, f"--shards={shards}"],
                       stdout=subprocess.DEVNULL, check=True)

    def bytes(self):
        return [int(shard["bytes"]) for shard in self.status()["shards"]]


def report(name, value, unit, reference, at_most):
    print(json.dumps({"group": "rescale", "name": name, "value": value, "unit": unit,
                      "reference": reference, "ratio": value / reference, "at_most": at_most}),
          flush=True)


def measure(name, flags):
    if len(sys.argv) > 1 and not any(name.startswith(way) for way in sys.argv[1:]):
        return
    with tempfile.TemporaryDirectory() as folder:
        job = Job(folder, flags)
        moved = least = 0
        usual = collections.defaultdict(list)  # by how many shards
        changes = []
        for shards in CHANGES:
            before = job.bytes()
            usual[len(before)].append(job.waited(lambda: None))
            steps, seconds = job.waited(lambda to=shards: job.scale(to))
            changes.append((len(before), shards, steps, seconds))
            after = job.bytes()
            # Those that came have what was moved; those that went had it.
            few, many = sorted((before, after), key=len)
            moved += sum(many) - sum(many[:len(few)])
            least += sum(many) * (1 - len(few) / len(many))
        job.process.terminate()
        job.process.wait()
    a_step = {shards: sum(s for _, s in windows) / sum(n for n, _ in windows)
              for shards, windows in usual.items()}
    stall = sum(seconds - steps * (a_step[before] + a_step[after]) / 2
                for before, after, steps, seconds in changes)
    report(f"{name}: seconds waited for each GB", max(stall, 0), "s", moved / 1e9, 0.2)
    report(f"{name}: bytes moved over the least", moved / 1e6, "MB", least / 1e6, 1.1)


for policy in ("sync", "bounded"):
    mode = ["--sync_mode=" + policy]
    measure(policy + "/memory", mode)
    measure(policy + "/network", mode + ["--noshared_memory"])
