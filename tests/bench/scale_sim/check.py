#!/usr/bin/python3
"""Holds the simulator against real runs of the main job's model on this machine.

  tests/bench/scale_sim/check.py

Costs come from runs with one worker alone: what a step computes, what the shard's updates take, what
processor time is left, which is that of messages, and how long a message is under way beyond that, so that
the simulated step takes as long as the real one. With more workers the cores are full and processes turn
each other's data out of the caches: all costs are multiplied by what a step with four workers takes of
processor time, over what it takes alone. So much is fitted. Then the simulator says how long a step takes with
1, 2, 4, 8 and 16 workers that share this machine's cores, and so do real runs. Tensors go over TCP. The last
column is the processor time a real step of one worker took of all processes, starting up included.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
JOB = os.path.join(ROOT, "deploy/examples/fashion_mnist_mlp.yaml")
WORKERS = [1, 2, 4, 8, 16]
CROWD = 4
ROUNDS = 3
MODES = ("sync", "async")
MODEL_BYTES = 4 * 535818
# The job's linear layers. A step's gradient leaves layer by layer; backward has two products a layer,
# but the first layer passes no gradient on.
PRODUCTS = [784 * 512, 512 * 256, 256 * 10]
PUSH_PARTS = len(PRODUCTS)
BACKWARD_SHARE = (2 * sum(PRODUCTS) - PRODUCTS[0]) / (3 * sum(PRODUCTS) - PRODUCTS[0])


def bazel(*arguments):
    script = '. tools/bazel_env && bazel_do "$@"'
    return subprocess.run(["bash", "-c", script, "bench", *arguments], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, check=True).stdout


def build():
    bazel("build", "--noshow_progress", "//deploy/cli:syncline", "//server:syncline-ps",
          "//worker:syncline-worker", "//server/coordinator:syncline-coordinator",
          "//tests/bench/scale_sim")
    binaries = bazel("info", "--noshow_progress", "bazel-bin").strip()
    return (os.path.join(binaries, "deploy/cli/syncline"),
            os.path.join(binaries, "tests/bench/scale_sim/scale_sim"))


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(program, mode, workers, steps):
    """Of one real run: seconds a step, seconds computing and applying a step, processor seconds."""
    before = cpu_seconds()
    with tempfile.TemporaryDirectory() as output:
        subprocess.run([program, "local", "-f", JOB, f"--output={output}", "--epochs=1000",
                        f"--max_steps={steps}", f"--workers={workers}", "--shards=1",
                        f"--sync_mode={mode}", "--noshared_memory",
                        # Sixteen momenta at once would leave the finite numbers; speed is the same.
                        "--optimizer_learning_rate=1e-5"],
                       check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(output, "status.json")) as file:
            status = json.load(file)
    progress = [worker["progress"] for worker in status["workers"]]
    total = statistics.mean(p["total_seconds"] for p in progress)
    compute = statistics.mean(p["compute_seconds"] for p in progress)
    apply = status["shards"][0]["apply_seconds"]
    return {"step": total / steps, "compute": compute / steps, "apply": apply / steps,
            "cpu": cpu_seconds() - before}


def costs(program, mode):
    """What a worker's step costs, by two lengths of a run, so that starting up is no part of it."""
    rounds = []
    for _ in range(ROUNDS):
        short, long = run(program, mode, 1, 300), run(program, mode, 1, 1500)
        cpu = (long["cpu"] - short["cpu"]) / 1200
        few, many = run(program, mode, CROWD, 100), run(program, mode, CROWD, 400)
        crowded = (many["cpu"] - few["cpu"]) / 300 / CROWD
        messages = max(cpu - long["compute"] - long["apply"], 0)
        rounds.append((long["compute"], long["apply"], messages, long["step"], crowded / cpu))
    keys = ("compute", "apply", "messages", "step", "crowding")
    return dict(zip(keys, (statistics.median(values) for values in zip(*rounds))))


def latency(program, mode, cost):
    """Seconds that messages are under way for a step of one worker to take as long as it does."""
    without = simulated(program, mode, 1, cost, 0)
    slope = (simulated(program, mode, 1, cost, 1e-4) - without) / 1e-4
    return max(cost["step"] - without, 0) / slope


def simulated(program, mode, workers, cost, under_way):
    crowding = cost["crowding"] if workers > 1 else 1
    compute, apply, messages = (crowding * cost[key] for key in ("compute", "apply", "messages"))
    # Both ends, push and pull.
    byte = messages / 4 / MODEL_BYTES
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([program, f"--modes={mode}", f"--workers={workers}", "--shards=1",
                        f"--one_host_cores={os.cpu_count()}", f"--model_mb={MODEL_BYTES / 1e6}",
                        f"--compute_ms={1e3 * compute}", f"--apply_byte_ns={1e9 * apply / MODEL_BYTES}",
                        f"--shard_byte_ns={1e9 * byte}", f"--worker_byte_ns={1e9 * byte}",
                        f"--push_parts={PUSH_PARTS}", f"--backward_share={BACKWARD_SHARE}",
                        "--shard_message_us=0", "--worker_message_us=0", "--gbit=0",
                        f"--latency_us={1e6 * under_way}", "--straggling=0.05", "--slow_share=0", "--steps=100",
                        f"--json={file.name}"], check=True, stdout=subprocess.DEVNULL)
        return json.load(file)[0]["step_ms"] / 1e3


def main():
    real, simulator = build()
    worst, row = 0, ""
    print(f"{'mode':>6} {'workers':>8} {'real ms':>9} {'simulated ms':>13} {'error':>7} {'cpu ms':>7}")
    for mode in MODES:
        cost = costs(real, mode)
        under_way = latency(simulator, mode, cost)
        print(f"{mode:>6} alone: computes {1e3 * cost['compute']:.2f} ms, applies "
              f"{1e3 * cost['apply']:.2f} ms, messages {1e3 * cost['messages']:.2f} ms and "
              f"{1e6 * under_way:.0f} us each; of all {cost['crowding']:.2f} with {CROWD} workers",
              file=sys.stderr)
        for workers in WORKERS:
            steps = max(2000 // workers, 150)
            rounds = [run(real, mode, workers, steps) for _ in range(ROUNDS)]
            step = statistics.median(r["step"] for r in rounds)
            cpu = statistics.median(r["cpu"] for r in rounds) / steps / workers
            guess = simulated(simulator, mode, workers, cost, under_way)
            error = guess / step - 1
            if abs(error) >= abs(worst):
                worst, row = error, f"{mode}, {workers} workers"
            print(f"{mode:>6} {workers:8} {1e3 * step:9.2f} {1e3 * guess:13.2f} {100 * error:+6.0f}% {1e3 * cpu:7.2f}"
                  f"{'' if abs(error) <= 0.15 else '  beyond 15 %'}", flush=True)
    print(f"largest error {100 * worst:+.0f} %: {row}")


if __name__ == "__main__":
    main()
