#!/usr/bin/python3
"""Trains the main job's MLP (deploy/examples/fashion_mnist_mlp.yaml) with PyTorch in one process, all samples on the
device before it begins: what one worker would take if its weights never left it. Prints speed and test accuracy.

usage: tests/bench/torch_mlp.py [--device cuda] [--products tf32] [--batch N] [--epochs N]   (Debian: python3-torch)
"""
import argparse
import gzip
import math
import os
import time

import torch
from torch import nn

DATA = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
RATE, MOMENTUM = 0.05, 0.9


def read(part, device):
    with gzip.open(os.path.join(DATA, part + "-images-idx3-ubyte.gz")) as file:
        pixels = torch.frombuffer(bytearray(file.read()[16:]), dtype=torch.uint8).view(-1, 784).float() / 255
    with gzip.open(os.path.join(DATA, part + "-labels-idx1-ubyte.gz")) as file:
        classes = torch.frombuffer(bytearray(file.read()[8:]), dtype=torch.uint8).long()
    return ((pixels - 0.2860) / 0.3530).to(device), classes.to(device)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--products", default="float32", choices=("float32", "tf32"))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=8)
    flags = parser.parse_args()
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = flags.products == "tf32"
    x, y = read("train", flags.device)
    held_out = read("t10k", flags.device)
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    model.to(flags.device)
    optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM)
    steps = flags.epochs * math.ceil(len(x) / flags.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss = nn.CrossEntropyLoss()
    loss(model(x[:flags.batch]), y[:flags.batch]).backward()  # the first is slow: libraries begin
    begun = time.monotonic()
    for _ in range(flags.epochs):
        for batch in torch.randperm(len(x)).to(flags.device).split(flags.batch):
            optimizer.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    if flags.device == "cuda":
        torch.cuda.synchronize()
    seconds = time.monotonic() - begun
    with torch.no_grad():
        right = (model(held_out[0]).argmax(1) == held_out[1]).float().mean()
    print(f"{flags.epochs * len(x) / seconds:,.0f} samples/s, test accuracy {100 * right:.2f} %")


if __name__ == "__main__":
    main()
