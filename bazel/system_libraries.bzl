"""@system: the C++ libraries of this machine, found with pkg-config, and protoc.

A missing library stops the build with the name of its Debian package. Headers outside /usr/include
(a newer gRPC under a prefix of your own, through PKG_CONFIG_PATH) are linked into the repository;
the compiler sees all of them as system headers, so our warnings stay ours.
"""

_ABSEIL = [
    "absl_cleanup",
    "absl_fixed_array",
    "absl_flags",
    "absl_flags_parse",
    "absl_flags_reflection",
    "absl_flags_usage",
    "absl_flat_hash_map",
    "absl_flat_hash_set",
    "absl_inlined_vector",
    "absl_optional",
    "absl_random_random",
    "absl_raw_hash_set",
    "absl_span",
    "absl_status",
    "absl_statusor",
    "absl_str_format",
    "absl_strings",
    "absl_synchronization",
    "absl_time",
]

# One cc_library each.
#   modules: pkg-config names, package: what apt installs them from
#   link: flags for what has no .pc file of its own
#   deps: labels it brings along
#   not_sanitized: leave it out of a build with a sanitizer
_LIBRARIES = {
    "absl_uninstrumented": struct(modules = _ABSEIL, package = "libabsl-dev"),
    "benchmark": struct(modules = ["benchmark"], package = "libbenchmark-dev"),
    "grpc": struct(
        modules = ["grpc++"],
        package = "libgrpc++-dev",
        link = ["-lgrpc++_reflection"],
        deps = [":absl"],
    ),
    "gtest": struct(modules = ["gmock", "gtest"], package = "libgmock-dev"),
    "gtest_main": struct(modules = ["gtest_main", "gmock"], package = "libgtest-dev"),
    "jemalloc": struct(modules = ["jemalloc"], package = "libjemalloc-dev", not_sanitized = True),
    "openblas": struct(modules = ["openblas"], package = "libopenblas-dev"),
    "prometheus": struct(
        modules = ["prometheus-cpp-pull", "prometheus-cpp-core"],
        package = "prometheus-cpp-dev",
        link = ["-lcivetweb-cpp", "-lcivetweb"],
    ),
    "protobuf": struct(modules = ["protobuf"], package = "libprotobuf-dev"),
    "spdlog": struct(modules = ["spdlog"], package = "libspdlog-dev"),
    "yaml_cpp": struct(modules = ["yaml-cpp"], package = "libyaml-cpp-dev"),
    "zlib": struct(modules = ["zlib"], package = "zlib1g-dev"),
    "zstd": struct(modules = ["libzstd"], package = "libzstd-dev"),
}

# Abseil, with its locks made visible to ThreadSanitizer.
_ABSL = """
cc_library(
    name = "absl",
    deps = [":absl_uninstrumented"] + select({
        "@syncline//bazel:tsan": ["@syncline//tools/sanitizers:absl_tsan"],
        "//conditions:default": [],
    }),
)
"""

_TOOLS = {
    "protoc": "protobuf-compiler",
    "grpc_cpp_plugin": "protobuf-compiler-grpc",
}

def _missing(what, package):
    fail("%s is missing. Install it with: apt-get install %s (or all at once: tools/install_deps)" %
         (what, package))

def _pkg_config(ctx, pkg_config, flag, library):
    result = ctx.execute([pkg_config, flag] + library.modules)
    if result.return_code != 0:
        _missing("The library " + library.modules[0], library.package)
    return [word for word in result.stdout.strip().split(" ") if word]

def _cc_library(ctx, pkg_config, name, library):
    defines, headers, includes = [], [], []
    for flag in _pkg_config(ctx, pkg_config, "--cflags", library):
        if flag.startswith("-D"):
            defines.append(flag[2:])
        elif flag.startswith("-I"):
            folder = "include/%s_%d" % (name, len(includes))
            ctx.symlink(flag[2:], folder)
            headers.append(folder + "/**")
            includes.append(folder)
    linkopts = _pkg_config(ctx, pkg_config, "--libs", library) + getattr(library, "link", [])
    linkopts = str(["-Wl,--as-needed"] + linkopts)
    if getattr(library, "not_sanitized", False):
        linkopts = 'select({"@syncline//bazel:sanitized": [], "//conditions:default": %s})' % linkopts
    return """
cc_library(
    name = "{name}",
    hdrs = glob({headers}),
    includes = {includes},
    defines = {defines},
    linkopts = {linkopts},
    deps = {deps},
)
""".format(
        name = name,
        headers = headers,
        includes = includes,
        defines = defines,
        linkopts = linkopts,
        deps = getattr(library, "deps", []),
    )

def _system_libraries_impl(ctx):
    pkg_config = ctx.which("pkg-config")
    if not pkg_config:
        _missing("The program pkg-config", "pkg-config")
    build = ['package(default_visibility = ["//visibility:public"])\n', _ABSL]
    for name, library in _LIBRARIES.items():
        build.append(_cc_library(ctx, pkg_config, name, library))
    for tool, package in _TOOLS.items():
        path = ctx.which(tool)
        if not path:
            _missing("The program " + tool, package)
        ctx.symlink(path, "bin/" + tool)
        build.append('\nfilegroup(name = "%s", srcs = ["bin/%s"])\n' % (tool, tool))
    ctx.file("BUILD.bazel", "".join(build))

system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    configure = True,
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
)
