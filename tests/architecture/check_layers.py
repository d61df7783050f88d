"""Checks who may depend on whom.

usage: check_layers.py EDGES     (in the root of the sources)

EDGES holds lines "FROM TO" of Bazel labels. Prints every forbidden edge, path and source line.
"""

import os
import re
import sys

# Each folder may depend on itself and on what is named here, by prefix. The longest prefix counts.
MAY_USE = {
    "proto": ["@system"],
    "common": ["common", "proto", "@system"],
    "server/store": ["common", "proto", "@system"],
    "server/policy": ["common", "proto", "@system"],
    "server/shard": ["server/store", "server/policy", "common", "proto", "@system"],
    "server/durability": ["server/shard", "server/store", "common", "proto", "@system"],
    "server/spill": ["server/store", "common", "proto", "@system"],
    "server/service": ["server/durability", "server/shard", "server/store", "server/policy",
                       "common", "proto", "@system"],
    "server/coordinator": ["server/durability", "common", "proto", "@system"],
    "server": ["server", "common", "proto", "@system"],
    "worker": ["worker", "common", "proto", "@system"],
}

CORE = ("common/optimizer", "server/store", "server/policy", "server/shard")

# What the core does not reach, by any path.
NOT_IN_CORE = [
    "@system//:grpc", "@system//:spdlog", "@system//:prometheus", "@system//:yaml_cpp",
    "//common/io", "//common/rpc", "//common/obs", "//common/config", "//common/time:steady_now",
]

# What the core's own lines do not say: wall clock, files, sleep, environment, chance.
NOT_SAID_IN_CORE = re.compile(
    r"absl::Now\(|absl::SleepFor|std::chrono|gettimeofday|clock_gettime|\btime\((0|NULL|nullptr)\)"
    r"|std::random_device|\bgetenv\(|\bfopen\(|std::i?o?fstream|std::filesystem"
    r"|#include <(chrono|fstream|filesystem|thread|unistd\.h|fcntl\.h|sys/.*)>"
    r"|#include <(grpc|spdlog).*>")

INCLUDE = re.compile(r'#include "((?:common|server|worker|proto)/[^"]+)"')


def normal(label):
    """Bazel's versions write @@repo//..., @repo//... and @//..."""
    return re.sub(r"^@+(?=[^@])", "@", label).replace("@//", "//")


def folder(label):
    if label.startswith("@"):
        return label.split("//")[0]
    return label[2:].split(":")[0]


def layer(path):
    fitting = [name for name in MAY_USE if path == name or path.startswith(name + "/")]
    return max(fitting, key=len, default=None)


def within(path, prefix):
    return path == prefix or path.startswith((prefix + "/", prefix + ":"))


def may_use(source, target):
    own = layer(source)
    if own is None or within(target, own):
        return True
    return any(within(target, name) for name in MAY_USE[own])


def wrong_edges(edges):
    for source, target in edges:
        if not may_use(folder(source), folder(target)):
            yield "%s depends on %s, which %s may not use" % (source, target, layer(folder(source)))


def wrong_paths(edges):
    uses = {}
    for source, target in edges:
        uses.setdefault(source, set()).add(target)
    core = sorted(label for label in uses if any(within(folder(label), name) for name in CORE))
    for start in core:
        path_to = {start: [start]}
        waiting = [start]
        while waiting:
            label = waiting.pop()
            if any(within(label, name) for name in NOT_IN_CORE):
                yield "the core reaches " + " -> ".join(path_to[label])
                continue
            for target in sorted(uses.get(label, ())):
                if target not in path_to:
                    path_to[target] = path_to[label] + [target]
                    waiting.append(target)


def wrong_lines():
    for root in ("common", "server", "worker"):
        for where, _, names in os.walk(root, followlinks=True):
            for name in sorted(names):
                path = os.path.join(where, name)
                if path.endswith((".h", ".cc", ".cu", ".cuh")):
                    yield from wrong_lines_of(path)


def wrong_lines_of(path):
    core = any(within(path, name) for name in CORE) and not path.endswith("_test.cc")
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            included = INCLUDE.search(line)
            if included and not may_use(os.path.dirname(path), os.path.dirname(included.group(1))):
                yield "%s:%d includes %s" % (path, number, included.group(1))
            code = line.split("//")[0]
            if core and NOT_SAID_IN_CORE.search(code):
                yield "%s:%d: not in the core: %s" % (path, number, line.strip())


def self_check():
    """A checker that can't fail proves nothing."""
    edges = [("//server/shard:shard", "//common/rpc:retry"), ("//common/rpc:retry", "@system//:grpc"),
             ("//worker/train:trainer", "//server/store:chunk"), ("//common/tensor:x", "//worker:w"),
             ("//server/store:chunk", "//server/shard:shard")]
    assert len(list(wrong_edges(edges))) == 3, list(wrong_edges(edges))
    assert len(list(wrong_paths(edges))) == 2, list(wrong_paths(edges))
    assert normal("@@system//:grpc") == "@system//:grpc" and normal("@//server:x") == "//server:x"
    assert NOT_SAID_IN_CORE.search("x = absl::Now();")


def main():
    self_check()
    with open(sys.argv[1], encoding="utf-8") as file:
        edges = [tuple(normal(label) for label in line.split()) for line in file]
    wrong = [*wrong_edges(edges), *wrong_paths(edges), *wrong_lines()]
    print("%d dependencies checked" % len(edges))
    print("\n".join(wrong))
    sys.exit(1 if wrong or not edges else 0)


main()
