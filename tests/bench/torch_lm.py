#!/usr/bin/python3
"""Trains the transformer of deploy/examples/fortunes_transformer.yaml with PyTorch: what an independent
implementation makes of the same text, model, initial distributions, batches of as many samples, optimizer and
schedule. Prints the losses that `syncline local` prints.

With --delay=N a gradient is that of the weights N updates ago, which is what `async` makes of N + 1 workers: then each
update is of one worker's batch.

usage: tests/bench/torch_lm.py [--seed N] [--epochs N] [--delay N] [--device cuda] [--products tf32|bf16]
         [--width N] [--heads N] [--blocks N] [--positions N]        (Debian: python3-torch, fortunes)
"""

import argparse
import contextlib
import math
import os
import time

import torch
from torch import nn

FILE = os.path.join(os.environ.get("FORTUNES", "/usr/share/games/fortunes"), "songs-poems")
VOCABULARY = 96
BATCH, RATE, WARMUP, TOTAL, FINAL = 32, 0.003, 50, 600, 0.1  # samples a step of two workers; steps


def attention(q, k, v):
    """Of each position to those up to it."""
    if hasattr(nn.functional, "scaled_dot_product_attention"):
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
    return scores.masked_fill(later, float("-inf")).softmax(-1) @ v


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        rows, positions, width = x.shape
        parts = self.qkv(self.norm1(x)).view(rows, positions, 3, self.heads, width // self.heads)
        seen = attention(*parts.permute(2, 0, 3, 1, 4).unbind())
        x = x + self.out(seen.transpose(1, 2).reshape(rows, positions, width))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Model(nn.Module):
    def __init__(self, positions, width, heads, blocks):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, width), nn.Embedding(positions, width)
        for table in (self.tokens, self.places):
            nn.init.normal_(table.weight, 0.0, 0.02)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(blocks)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY)
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


def read(positions):
    """Samples, and what follows each character of them."""
    with open(FILE, "rb") as file:
        text = file.read()
    number = {byte: i for i, byte in enumerate(sorted(set(text)))}
    tokens = torch.tensor([number[byte] for byte in text])
    samples = (len(tokens) - 1) // positions
    return (tokens[:samples * positions].view(samples, positions),
            tokens[1:samples * positions + 1].view(samples, positions))


class Clock:
    """Counts samples a second from the 20th step on, when all is warm."""

    def __init__(self, device):
        self.device, self.steps, self.samples, self.begun = device, 0, 0, 0.0

    def now(self):
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.monotonic()

    def step(self, samples):
        self.steps += 1
        if self.steps == 20:
            self.begun = self.now()
        elif self.steps > 20:
            self.samples += samples

    def speed(self):
        return self.samples / (self.now() - self.begun) if self.samples else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("seed", 1), ("epochs", 6), ("delay", 0), ("positions", 64), ("width", 64), ("heads", 4),
                        ("blocks", 4)):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--products", default="float32", choices=("float32", "tf32", "bf16"))
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.backends.cuda.matmul.allow_tf32 = options.products == "tf32"
    x, y = [part.to(options.device) for part in read(options.positions)]
    train = len(x) - math.floor(len(x) * 0.1)
    model = Model(options.positions, options.width, options.heads, options.blocks).to(options.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    workers = options.delay + 1
    weights = DelayedWeights(model, options.delay) if options.delay else contextlib.nullcontext()
    clock = Clock(options.device)
    for _ in range(options.epochs):
        for batch in torch.randperm(train).split(BATCH // workers):
            for group in optimizer.param_groups:
                group["lr"] = rate(clock.steps / workers)
            optimizer.zero_grad()
            with weights:
                with torch.autocast(options.device, torch.bfloat16, enabled=options.products == "bf16"):
                    loss = loss_of(model, x[batch], y[batch])
                loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            clock.step(len(batch))
    speed = clock.speed()
    with torch.no_grad():
        test = loss_of(model, x[train:], y[train:])
    print(f"seed {options.seed}: {clock.steps} steps, test loss {test:.4f}, last training loss {loss:.4f}, "
          f"{speed:,.0f} samples/s")


if __name__ == "__main__":
    main()
