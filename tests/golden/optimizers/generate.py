#!/usr/bin/python3
"""Writes golden.txt: what independent implementations make of the optimizers' settings.

usage: /usr/bin/python3 tests/golden/optimizers/generate.py > tests/golden/optimizers/golden.txt

PyTorch 1.13 (Debian's python3-torch) in double precision, and for LAMB and FTRL, which it does not
have, the papers' formulas in NumPy. Gradients are exact in single precision, so only rounding is
between these figures and ours (server/shard/golden_test.cc).

  case NAME
  optimizer TEXT       the manifest's `optimizer`, as protobuf text
  step K V...          after K updates: tensor a, then elements 0 to 3 and 1096 to 1099 of tensor b
"""
import math

import numpy as np
import torch

SIZES = [8, 1100]
STEPS = 60
SHOWN = (1, 10, 30, 60)
START = 0.5


def gradients(step):
    """The same in golden_test.cc: a 32-bit linear congruential generator, scaled to [-1, 1]."""
    state = (1000003 * (step + 1)) & 0xFFFFFFFF
    out = []
    for size in SIZES:
        values = np.empty(size)
        for i in range(size):
            state = (1664525 * state + 1013904223) & 0xFFFFFFFF
            values[i] = ((state >> 8) % 2001 - 1000) / 1000
        out.append(values.astype(np.float32).astype(np.float64))
    return out


def show(name, text, states):
    print("case", name)
    print("optimizer", text)
    for step, (a, b) in states:
        picked = list(a) + list(b[:4]) + list(b[-4:])
        print("step", step, " ".join("%.17g" % v for v in picked))


def run_torch(make, schedule=None, clip_norm=None, clip_value=None):
    parameters = [torch.full((n,), START, dtype=torch.float64, requires_grad=True) for n in SIZES]
    optimizer = make(parameters)
    scheduler = schedule(optimizer) if schedule else None
    states = []
    for step in range(STEPS):
        for parameter, gradient in zip(parameters, gradients(step)):
            parameter.grad = torch.tensor(gradient)
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_(parameters, clip_value)
        optimizer.step()
        if scheduler:
            scheduler.step()
        if step + 1 in SHOWN:
            states.append((step + 1, [p.detach().numpy().copy() for p in parameters]))
    return states


def run_numpy(update):
    weights = [np.full(n, START) for n in SIZES]
    memory = [dict() for _ in SIZES]
    states = []
    for step in range(STEPS):
        for i, gradient in enumerate(gradients(step)):
            weights[i] = update(weights[i], gradient, memory[i], step + 1)
        if step + 1 in SHOWN:
            states.append((step + 1, [w.copy() for w in weights]))
    return states


def lamb(rate, beta1=0.9, beta2=0.999, epsilon=1e-6, decay=0.0):
    """You et al. 2020, algorithm 2, with phi the identity."""
    def update(w, g, s, t):
        s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
        s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g * g
        r = s["m"] / (1 - beta1**t) / (np.sqrt(s["v"] / (1 - beta2**t)) + epsilon) + decay * w
        return w - rate * np.linalg.norm(w) / np.linalg.norm(r) * r
    return update


def ftrl(rate, power=-0.5, l1=0.0, l2=0.0, beta=0.0, initial=0.0):
    """McMahan et al. 2013, algorithm 1, the rate's power left open. It begins at z = 0, n = initial,
    so the first weights count through z only."""
    def update(w, g, s, t):
        n = s.get("n", np.full_like(w, initial))
        z = s.get("z", np.zeros_like(w))
        after = n + g * g
        z = z + g - (after**-power - n**-power) / rate * w
        s["n"], s["z"] = after, z
        return np.where(np.abs(z) <= l1, 0,
                        -(z - np.sign(z) * l1) / ((beta + after**-power) / rate + l2))
    return update


def main():
    O, S = torch.optim, torch.optim.lr_scheduler
    sgd = lambda p: O.SGD(p, 0.05)
    show("sgd", "kind: SGD learning_rate: 0.05", run_torch(sgd))
    show("sgd_decay", "kind: SGD learning_rate: 0.05 weight_decay: 0.01",
         run_torch(lambda p: O.SGD(p, 0.05, weight_decay=0.01)))
    show("momentum", "kind: MOMENTUM learning_rate: 0.02 momentum: 0.9",
         run_torch(lambda p: O.SGD(p, 0.02, momentum=0.9)))
    show("momentum_decay", "kind: MOMENTUM learning_rate: 0.02 momentum: 0.8 weight_decay: 0.001",
         run_torch(lambda p: O.SGD(p, 0.02, momentum=0.8, weight_decay=0.001)))
    show("nesterov", "kind: NESTEROV learning_rate: 0.02 momentum: 0.9",
         run_torch(lambda p: O.SGD(p, 0.02, momentum=0.9, nesterov=True)))
    show("adagrad", "kind: ADAGRAD learning_rate: 0.05", run_torch(lambda p: O.Adagrad(p, 0.05)))
    show("adagrad_initial",
         "kind: ADAGRAD learning_rate: 0.05 initial_accumulator: 0.1 weight_decay: 0.01",
         run_torch(lambda p: O.Adagrad(p, 0.05, initial_accumulator_value=0.1, weight_decay=0.01)))
    show("rmsprop", "kind: RMSPROP learning_rate: 0.01", run_torch(lambda p: O.RMSprop(p, 0.01)))
    show("rmsprop_momentum",
         "kind: RMSPROP learning_rate: 0.01 momentum: 0.9 alpha: 0.95 weight_decay: 0.001",
         run_torch(lambda p: O.RMSprop(p, 0.01, alpha=0.95, momentum=0.9, weight_decay=0.001)))
    show("adam", "kind: ADAM learning_rate: 0.01", run_torch(lambda p: O.Adam(p, 0.01)))
    show("adam_decay", "kind: ADAM learning_rate: 0.01 beta1: 0.8 beta2: 0.99 weight_decay: 0.01",
         run_torch(lambda p: O.Adam(p, 0.01, betas=(0.8, 0.99), weight_decay=0.01)))
    show("adamw", "kind: ADAMW learning_rate: 0.01 weight_decay: 0.05",
         run_torch(lambda p: O.AdamW(p, 0.01, weight_decay=0.05)))
    show("lamb", "kind: LAMB learning_rate: 0.01", run_numpy(lamb(0.01)))
    show("lamb_decay", "kind: LAMB learning_rate: 0.01 weight_decay: 0.1",
         run_numpy(lamb(0.01, decay=0.1)))
    show("ftrl", "kind: FTRL learning_rate: 0.1", run_numpy(ftrl(0.1)))
    show("ftrl_l1_l2",
         "kind: FTRL learning_rate: 0.1 ftrl_l1: 0.3 ftrl_l2: 0.2 ftrl_beta: 1 "
         "initial_accumulator: 0.1", run_numpy(ftrl(0.1, l1=0.3, l2=0.2, beta=1, initial=0.1)))
    show("ftrl_power", "kind: FTRL learning_rate: 0.1 ftrl_learning_rate_power: -0.7",
         run_numpy(ftrl(0.1, power=-0.7)))
    show("clip_value", "kind: SGD learning_rate: 0.05 clip_value: 0.25",
         run_torch(sgd, clip_value=0.25))
    show("clip_norm", "kind: MOMENTUM learning_rate: 0.02 momentum: 0.9 clip_norm: 3",
         run_torch(lambda p: O.SGD(p, 0.02, momentum=0.9), clip_norm=3.0))
    show("schedule_step",
         "kind: SGD learning_rate: 0.05 schedule { kind: STEP step_size: 7 gamma: 0.5 }",
         run_torch(sgd, lambda o: S.StepLR(o, 7, 0.5)))
    show("schedule_cosine",
         "kind: SGD learning_rate: 0.05 schedule { kind: COSINE total_steps: 60 final_ratio: 0.1 }",
         run_torch(sgd, lambda o: S.CosineAnnealingLR(o, 60, eta_min=0.005)))
    show("schedule_polynomial",
         "kind: SGD learning_rate: 0.05 schedule { kind: POLYNOMIAL total_steps: 50 power: 2 }",
         run_torch(sgd, lambda o: S.PolynomialLR(o, 50, 2)))
    show("schedule_warmup",
         "kind: ADAM learning_rate: 0.01 schedule { kind: CONSTANT warmup_steps: 20 }",
         run_torch(lambda p: O.Adam(p, 0.01), lambda o: S.LambdaLR(o, lambda t: min(t / 20, 1))))
    show("schedule_inverse_sqrt",
         "kind: SGD learning_rate: 0.05 schedule { kind: INVERSE_SQRT warmup_steps: 16 }",
         run_torch(sgd, lambda o: S.LambdaLR(
             o, lambda t: t / 16 if t < 16 else math.sqrt(16 / t))))


if __name__ == "__main__":
    main()
