"""@cuda: where the CUDA toolkit is, if there is one.

Looks in $CUDA_HOME, then in /usr/local/cuda. @cuda//:toolkit.bzl holds its folder as CUDA_HOME, or
None, in which case CUDA targets are empty and everything else builds without them.
"""

_USUAL_PLACE = "/usr/local/cuda"

def _cuda_toolkit_impl(ctx):
    home = ctx.os.environ.get("CUDA_HOME", "")
    if home and not ctx.path(home + "/bin/nvcc").exists:
        fail("CUDA_HOME is %s, but there is no bin/nvcc in it. Correct or unset it." % home)
    home = home or _USUAL_PLACE
    found = ctx.path(home + "/bin/nvcc").exists
    ctx.file("BUILD.bazel", "")
    ctx.file("toolkit.bzl", "CUDA_HOME = %s\n" % (repr(home) if found else None))

cuda_toolkit = repository_rule(
    implementation = _cuda_toolkit_impl,
    configure = True,
    environ = ["CUDA_HOME"],
    local = True,
)
