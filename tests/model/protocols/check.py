#!/usr/bin/python3
"""Explores every state of the models beside it, with Spin: none may break a promise, and one must as soon as a guard is
left out. A model's comment names its guards, "NAME  what happens without".

usage: check.py MODEL...
"""
import os
import re
import subprocess
import sys
import tempfile


def explore(model, guard):
    """How many states there are, and whether one breaks a promise."""
    with tempfile.TemporaryDirectory() as folder:
        def run(*command):
            return subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  check=True).stdout
        run("spin", *([f"-D{guard}"] if guard else []), "-a", os.path.abspath(model))
        run("gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
        text = run("./pan", "-m500000")
    if "max search depth too small" in text or "out of memory" in text:
        raise SystemExit(f"{model}: not every state was seen\n{text}")
    return int(re.search(r"(\d+) states, stored", text).group(1)), int(re.search(r"errors: (\d+)", text).group(1)) > 0


def main():
    wrong = 0
    for model in sys.argv[1:]:
        comment = open(model).read().split("*/")[0]
        for guard in [None, *re.findall(r"^ \*   ([A-Z_]+)  ", comment, re.M)]:
            states, broken = explore(model, guard)
            name = os.path.basename(model) + (f" with {guard}" if guard else "")
            print(f"{name}: {states} states, {'a promise is broken' if broken else 'all promises are kept'}", flush=True)
            wrong += broken != (guard is not None)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
