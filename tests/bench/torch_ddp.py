"""The reference of the `train` group: the same work in PyTorch's DistributedDataParallel over gloo.

Two processes on loopback, one thread each, train an MLP 784-512-256-10 with momentum SGD on batches
of 128 from Fashion-MNIST. Prints samples a second. Needs Debian's python3-torch.
usage: torch_ddp.py IMAGES.gz LABELS.gz EPOCHS
"""
import gzip
import os
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

WORKERS, BATCH = 2, 128


def load(images, labels):
    with gzip.open(images) as file:
        pixels = bytearray(file.read()[16:])
    with gzip.open(labels) as file:
        classes = bytearray(file.read()[8:])
    x = torch.frombuffer(pixels, dtype=torch.uint8).view(-1, 784).float() / 255
    return (x - 0.2860) / 0.3530, torch.frombuffer(classes, dtype=torch.uint8).long()


def work(rank, images, labels, epochs):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29719")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=WORKERS)
    x, y = load(images, labels)
    layers = [nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)]
    model = nn.parallel.DistributedDataParallel(nn.Sequential(*layers))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9)
    loss = nn.CrossEntropyLoss()
    dist.barrier()
    begin, samples = time.time(), 0
    for epoch in range(epochs):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch))
        mine = order[rank::WORKERS]
        for at in range(0, len(mine) - BATCH + 1, BATCH):
            rows = mine[at:at + BATCH]
            optimizer.zero_grad()
            loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
            samples += BATCH * WORKERS
    dist.barrier()
    if rank == 0:
        print("%.1f" % (samples / (time.time() - begin)))


if __name__ == "__main__":
    mp.spawn(work, (sys.argv[1], sys.argv[2], int(sys.argv[3])), nprocs=WORKERS)
