"""How the benchmarks in this folder build what they run."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def bazel(*arguments):
    """Runs Bazel in the checkout; what it says on stdout."""
    script = '. tools/bazel_env && bazel_do "$@"'
    return subprocess.run(["bash", "-c", script, "bench", *arguments], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, check=True).stdout


def built(*targets):
    """Builds the targets; the folder that their files lie in, by package."""
    bazel("build", "--noshow_progress", *targets)
    return bazel("info", "--noshow_progress", "bazel-bin").strip()
