"""A whole cluster of processes on this machine, with a fault proxy before the coordinator and before every shard."""
import json
import os
import signal
import socket
import struct
import subprocess
import time

from fault_proxy import FaultProxy
from place import Disk

LEASE = 2.0  # seconds, of members

JOB = """\
name: chaos
model:
  input: 1
  layers:
    - linear: {units: 1}
  loss: mean_squared_error
data: {format: random_linear, samples: 1000000000}
batch_size: 1
sync_mode: %s
staleness: 2
optimizer: {kind: sgd, learning_rate: 1}
tables:
  - {name: rows, dim: 3, slots: 8, initializer: {kind: zeros}, optimizer: {kind: sgd, learning_rate: 1}}
chunk_bytes: 4096
shared_memory: false
shards: %d
workers: %d
replicas: %d
checkpoint: {directory: %s/checkpoints, interval_steps: 500, keep: 2}
"""


class Process:
    """One that runs in a place, with a clock of its own in the file `clock`."""

    def __init__(self, name, place, arguments, log, clock, preload):
        self.name, self.host, self._clock = name, place.host, clock
        self.set_clock(0)
        with open(log, "a") as out:
            self.popen = subprocess.Popen([*place.prefix, "env", f"LD_PRELOAD={preload}",
                                           f"SYNCLINE_CHAOS_CLOCK={clock}", *arguments],
                                          stdout=out, stderr=subprocess.STDOUT)
        self.stopped, self.told_to_leave = False, False

    def set_clock(self, seconds):
        """Lets its wall clock be wrong by so much."""
        with open(self._clock, "wb" if not os.path.exists(self._clock) else "r+b") as file:
            file.write(struct.pack("<q", int(seconds * 1e9)))

    def running(self):
        return self.popen.poll() is None

    def send(self, number):
        if self.running():
            self.popen.send_signal(number)

    def leave(self):
        self.told_to_leave = True
        self.send(signal.SIGTERM)

    def kill(self):
        self.send(signal.SIGKILL)
        self.popen.wait()

    def stop(self):
        self.stopped = True
        self.send(signal.SIGSTOP)

    def go_on(self):
        self.stopped = False
        self.send(signal.SIGCONT)


class Cluster:
    def __init__(self, bin_dir, folder, network, policy, replicas, shards, workers, seed):
        self.bin_dir, self.folder, self.network = bin_dir, folder, network
        self.proxy = FaultProxy(seed, network.host)
        self.coordinator = self.proxy.open("coordinator")
        self.coordinators, self.shards, self.workers = {}, {}, {}
        self.number = 0
        os.makedirs(f"{folder}/clocks")
        self.disk = Disk(f"{folder}/disk")  # of checkpoints and metadata
        with open(f"{folder}/job.yaml", "w") as job:
            job.write(JOB % (policy, shards, workers, replicas, self.disk.folder))
        for _ in range(2):  # one stands by
            self.start_coordinator()
        for _ in range(shards):
            self.start_shard()
        for i in range(workers):
            self.start_worker(f"worker-{i}")

    def _start(self, name, place, *arguments):
        return Process(name, place, arguments, f"{self.folder}/{name}.log", f"{self.folder}/clocks/{name}",
                       f"{self.bin_dir}/tests/chaos/libclock_jump.so")

    def start_coordinator(self):
        self.number += 1
        place = self.network.place()
        self.coordinators[place.address] = self._start(
            f"coordinator-{self.number}", place, f"{self.bin_dir}/server/coordinator/syncline-coordinator",
            f"--job={self.folder}/job.yaml", f"--listen={place.address}", "--allow_plaintext",
            f"--metadata={self.disk.folder}/metadata", f"--member_lease={LEASE}s")
        # The one that stands by has no port open yet, so whoever answers leads.
        self.proxy.lead("coordinator", self.coordinators)

    def start_shard(self):
        self.number += 1
        name = f"ps-{self.number}"
        door = self.proxy.open(name)
        place = self.network.place()
        self.proxy.lead(name, [place.address])
        self.shards[name] = self._start(name, place, f"{self.bin_dir}/server/syncline-ps",
                                        f"--coordinator={self.coordinator}", f"--listen={place.address}",
                                        "--allow_plaintext", f"--advertise={door}")
        return name

    def start_worker(self, name):
        self.workers[name] = self._start(name, self.network.place(), f"{self.bin_dir}/tests/chaos/pusher",
                                         f"--coordinator={self.coordinator}", f"--name={name}",
                                         f"--history={self.folder}/{name}.history")

    def start_what_ended(self):
        """As a supervisor does: another coordinator in place of one that ended by itself. Their names."""
        ended = [address for address, process in self.coordinators.items() if not process.running()]
        names = [self.coordinators.pop(address).name for address in ended]
        for _ in ended:
            self.start_coordinator()
        return names

    def leader(self):
        """The address of the coordinator that leads; None while there is none."""
        for address in self.coordinators:
            host, port = address.split(":")
            try:
                socket.create_connection((host, int(port)), 0.2).close()
                return address
            except OSError:
                pass
        return None

    def command(self, *arguments, timeout=10):
        """Runs syncline against the coordinator that leads, without the proxy; its output, or None."""
        address = self.leader()
        if address is None:
            return None
        try:
            done = subprocess.run([f"{self.bin_dir}/deploy/cli/syncline", *arguments, f"--coordinator={address}"],
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None

    def status(self):
        text = self.command("status", "--json")
        return json.loads(text) if text else None

    def whole(self):
        """Whether it trains, every member is there and every chunk has all its copies."""
        status = self.status()
        if status is None or status.get("phase") != "TRAINING" or status.get("waiting_for"):
            return False
        live = sum(bool(worker.get("live")) for worker in status.get("workers", []))
        return not status["rescale"].get("moving") and live == len(self.workers)

    def wait_until_whole(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.whole():
                return True
            time.sleep(0.2)
        return False

    def processes(self):
        return [*self.coordinators.values(), *self.shards.values(), *self.workers.values()]

    def end_workers(self):
        """Lets the workers leave, one after the other; whether they did."""
        for worker in self.workers.values():
            worker.leave()
            try:
                worker.popen.wait(30)
            except subprocess.TimeoutExpired:
                return False
        return True

    def close(self):
        for process in self.processes():
            process.go_on()
            process.kill()
        self.disk.close()
