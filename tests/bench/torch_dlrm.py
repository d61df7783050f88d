#!/usr/bin/python3
"""Trains the DLRM of deploy/examples/criteo_dlrm.yaml with PyTorch in one process, as many samples a step as that job's
two workers take together, and prints its speed and the AUC of held-out samples. Categories are numbered as they come,
so each has a row of its own, in one nn.EmbeddingBag; the time of reading is not counted.

usage: tests/bench/torch_dlrm.py [--threads N] [--batch N] [--device cuda] TRAIN TEST     (Debian: python3-torch, python3-sklearn, zstd)
"""

import argparse
import math
import subprocess
import time

import torch
from sklearn.metrics import roc_auc_score
from torch import nn

DENSE, FIELDS, DIM = 13, 26, 16
ROW_RATE, RATE = 0.05, 0.02


def read(path, numbers):
    """Labels, log(1 + x) of the whole numbers, and the numbers of the categories."""
    labels, dense, keys = [], [], []
    command = ["zstd", "-dc", path] if path.endswith(".zst") else ["cat", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as file:
        for line in file.stdout:
            cells = line.rstrip("\n").split("\t")
            labels.append(float(cells[0]))
            dense.append([math.log1p(max(float(x), 0)) if x else 0.0 for x in cells[1:1 + DENSE]])
            keys.append([numbers.setdefault((i, x), len(numbers)) for i, x in enumerate(cells[1 + DENSE:])])
    return torch.tensor(labels), torch.tensor(dense), torch.tensor(keys)


class Dlrm(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.rows = nn.EmbeddingBag(rows, DIM, mode="sum", sparse=True)
        nn.init.uniform_(self.rows.weight, -1 / DIM, 1 / DIM)
        self.bottom = nn.Sequential(nn.Linear(DENSE, 64), nn.ReLU(), nn.Linear(64, DIM), nn.ReLU())
        pairs = (FIELDS + 1) * FIELDS // 2
        self.top = nn.Sequential(nn.Linear(DIM + pairs, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))
        self.register_buffer("pairs", torch.tril_indices(FIELDS + 1, FIELDS + 1, -1))

    def forward(self, dense, keys):
        rows = self.rows(keys.reshape(-1, 1)).view(-1, FIELDS, DIM)
        bottom = self.bottom(dense)
        vectors = torch.cat([bottom.unsqueeze(1), rows], 1)
        products = torch.bmm(vectors, vectors.transpose(1, 2))[:, self.pairs[0], self.pairs[1]]
        return self.top(torch.cat([bottom, products], 1)).squeeze(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--samples", type=int, default=0, help="the first so many alone; 0: all")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    torch.manual_seed(1)
    numbers = {}
    labels, dense, keys = [part.to(flags.device) for part in read(flags.train, numbers)]
    held_out = [part.to(flags.device) for part in read(flags.test, numbers)]
    model = Dlrm(len(numbers)).to(flags.device)
    dense_part = [p for name, p in model.named_parameters() if not name.startswith("rows")]
    optimizers = [torch.optim.Adagrad(dense_part, RATE), torch.optim.Adagrad(model.rows.parameters(), ROW_RATE)]
    loss = nn.BCEWithLogitsLoss()
    order = torch.randperm(len(labels))[:flags.samples or len(labels)]
    begun = time.monotonic()
    for begin in range(0, len(order), flags.batch):
        batch = order[begin:begin + flags.batch]
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss(model(dense[batch], keys[batch]), labels[batch]).backward()
        for optimizer in optimizers:
            optimizer.step()
    if flags.device == "cuda":
        torch.cuda.synchronize()
    seconds = time.monotonic() - begun
    with torch.no_grad():
        scores = model(*held_out[1:])
    print(f"{len(order) / seconds:,.0f} samples/s, {len(numbers):,} rows, "
          f"test AUC {roc_auc_score(held_out[0].cpu().numpy(), scores.cpu().numpy()):.4f}")


if __name__ == "__main__":
    main()
