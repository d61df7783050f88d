"""Fuzz targets: libFuzzer under --config=asan, a test over the seeds everywhere."""

def syncline_fuzz_test(name, srcs, deps = [], seeds = []):
    """Declares a fuzz target from a file that defines LLVMFuzzerTestOneInput.

    Args:
      name: the cc_test that runs once over `seeds`, in every configuration. :NAME_fuzzer is the
        fuzzer itself (tag "fuzz"), built by `bazel build --config=asan`.
      srcs: one .cc.
      deps: as in cc_test.
      seeds: files to start from, among them every input that ever failed.
    """
    native.cc_test(
        name = name,
        srcs = srcs,
        args = ["$(locations %s)" % seed for seed in seeds],
        data = seeds,
        deps = deps + ["//bazel:fuzz_replay_main"],
    )
    native.cc_binary(
        name = name + "_fuzzer",
        testonly = True,
        srcs = srcs,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["fuzz", "manual"],
        deps = deps,
    )
