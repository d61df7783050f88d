#!/usr/bin/python3
"""Trains the transformer of deploy/examples/fortunes_transformer.yaml with PyTorch: what an independent
implementation makes of the same text, model, initial distributions, batches of as many samples, optimizer and
schedule. Prints the losses that `syncline local` prints.

With --delay=N a gradient is that of the weights N updates ago, which is what `async` makes of N + 1 workers: then each
update is of one worker's batch.

usage: tests/bench/torch_lm.py [--seed N] [--epochs N] [--delay N]        (Debian: python3-torch, fortunes)
"""

import argparse
import math

import torch
from torch import nn

FILE = "/usr/share/games/fortunes/songs-poems"
POSITIONS, WIDTH, HEADS, BLOCKS, VOCABULARY = 64, 64, 4, 4, 96
BATCH, RATE, WARMUP, TOTAL, FINAL = 32, 0.003, 50, 600, 0.1  # samples a step of two workers; steps


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        rows = x.shape[0]
        parts = self.qkv(self.norm1(x)).view(rows, POSITIONS, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        q, k, v = parts[0], parts[1], parts[2]
        scores = q @ k.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
        later = torch.ones(POSITIONS, POSITIONS, dtype=torch.bool).triu(1)
        seen = scores.masked_fill(later, float("-inf")).softmax(-1) @ v
        x = x + self.out(seen.transpose(1, 2).reshape(rows, POSITIONS, WIDTH))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        for table in (self.tokens, self.places):
            nn.init.normal_(table.weight, 0.0, 0.02)
        self.blocks = nn.Sequential(*[Block() for _ in range(BLOCKS)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):  # both uniform in +-1/sqrt(inputs)
                bound = 1 / math.sqrt(layer.in_features)
                nn.init.uniform_(layer.weight, -bound, bound)
                nn.init.uniform_(layer.bias, -bound, bound)

    def forward(self, tokens):
        return self.head(self.norm(self.blocks(self.tokens(tokens) + self.places.weight)))


def rate(step):
    if step < WARMUP:
        return RATE * step / WARMUP
    done = min((step - WARMUP) / TOTAL, 1)
    return RATE * (FINAL + (1 - FINAL) * (1 + math.cos(math.pi * done)) / 2)


class DelayedWeights:
    """Lets a gradient be computed on the weights of `delay` updates ago, and applied to the present ones."""

    def __init__(self, model, delay):
        self.parameters, self.delay, self.last = list(model.parameters()), delay, []

    def set(self, values):
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values):
                parameter.copy_(value)

    def __enter__(self):
        self.last.append([p.detach().clone() for p in self.parameters])
        self.last = self.last[-1 - self.delay:]
        self.set(self.last[0])

    def __exit__(self, *_):
        self.set(self.last[-1])


def loss_of(model, x, y):
    return nn.functional.cross_entropy(model(x).view(-1, VOCABULARY), y.reshape(-1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--delay", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    with open(FILE, "rb") as file:
        text = file.read()
    number = {byte: i for i, byte in enumerate(sorted(set(text)))}
    tokens = torch.tensor([number[byte] for byte in text])
    samples = (len(tokens) - 1) // POSITIONS
    x = tokens[:samples * POSITIONS].view(samples, POSITIONS)
    y = tokens[1:samples * POSITIONS + 1].view(samples, POSITIONS)
    train = samples - math.floor(samples * 0.1)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    workers = options.delay + 1
    weights = DelayedWeights(model, options.delay)
    step = 0
    for _ in range(options.epochs):
        for batch in torch.randperm(train).split(BATCH // workers):
            for group in optimizer.param_groups:
                group["lr"] = rate(step / workers)
            optimizer.zero_grad()
            with weights:
                loss = loss_of(model, x[batch], y[batch])
                loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
    with torch.no_grad():
        test = loss_of(model, x[train:], y[train:])
    print(f"seed {options.seed}: {step} steps, test loss {test:.4f}, last training loss {loss:.4f}")


if __name__ == "__main__":
    main()
