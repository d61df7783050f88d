"""CUDA C++ with nvcc alone: a shared library that programs load at run time."""

load("@cuda//:toolkit.bzl", "CUDA_HOME")

# Machine code for A100 and H100; PTX of the last for what comes after.
_ARCHITECTURES = [
    "-gencode=arch=compute_80,code=sm_80",
    "-gencode=arch=compute_90,code=[sm_90,compute_90]",
]

_FLAGS = [
    "-O3",
    "-std=c++17",
    "-cudart=static",
    "-Xcompiler=-fPIC,-Wall",
    "-Werror=all-warnings",
    "-I.",
] + _ARCHITECTURES

def _nvcc(ctx, mnemonic, inputs, output, arguments):
    ctx.actions.run(
        executable = CUDA_HOME + "/bin/nvcc",
        arguments = _FLAGS + ["-o", output.path] + arguments,
        inputs = inputs,
        outputs = [output],
        mnemonic = mnemonic,
        progress_message = "%s %s" % (mnemonic, output.short_path),
        use_default_shell_env = True,
        # The toolkit may lie outside of what a sandbox mounts.
        execution_requirements = {"no-sandbox": "1"},
    )

def _cuda_shared_library_impl(ctx):
    objects = []
    for src in ctx.files.srcs:
        output = ctx.actions.declare_file("_objs/%s/%s.o" % (ctx.label.name, src.basename))
        _nvcc(ctx, "NvccCompile", [src] + ctx.files.hdrs, output, ["-c", src.path])
        objects.append(output)
    library = ctx.actions.declare_file("lib%s.so" % ctx.label.name)
    _nvcc(
        ctx,
        "NvccLink",
        objects,
        library,
        ["-shared"] + [object.path for object in objects] + ctx.attr.linkopts,
    )
    return [DefaultInfo(
        files = depset([library]),
        runfiles = ctx.runfiles(files = [library]),
    )]

_cuda_shared_library = rule(
    implementation = _cuda_shared_library_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".cu", ".cc"]),
        "hdrs": attr.label_list(allow_files = [".h", ".cuh"]),
        "linkopts": attr.string_list(),
    },
)

def cuda_shared_library(name, srcs, hdrs = [], linkopts = ["-lcublas"], **kwargs):
    """Builds libNAME.so; without a toolkit, a target of the same name with nothing in it.

    Args:
      name: `syncline_cuda` gives libsyncline_cuda.so. May be in anyone's `data`.
      srcs: .cu and .cc files, each compiled by nvcc. They include from the root.
      hdrs: every header of ours that they include, also of other packages.
      linkopts: passed to nvcc when it links.
      **kwargs: visibility, tags.
    """
    if CUDA_HOME:
        _cuda_shared_library(name = name, srcs = srcs, hdrs = hdrs, linkopts = linkopts, **kwargs)
    else:
        native.filegroup(name = name, srcs = [], **kwargs)
