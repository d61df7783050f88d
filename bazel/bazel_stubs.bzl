"""Lets Debian's Bazel (4.2.3, which calls itself no version) work without network.

Bazel adds a suffix to every WORKSPACE that downloads rules_cc, rules_java, rules_proto and the
coverage tools. A repository that exists by then is not fetched, so each gets a local stand-in: the
two that Debian packages, and two written here. A newer Bazel fetches what it wants itself.
"""

_RULES_CC = [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "fdo_prefetch_hints",
    "fdo_profile",
    "objc_library",
]

def _rules_cc_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = 'rules_cc')\n")
    ctx.file("cc/BUILD", "")
    ctx.file("cc/defs.bzl", "".join(["%s = native.%s\n" % (rule, rule) for rule in _RULES_CC]))

_rules_cc = repository_rule(implementation = _rules_cc_impl, local = True)

def _coverage_tools_impl(ctx):
    ctx.file("BUILD", """
filegroup(name = "coverage_report_generator", visibility = ["//visibility:public"])
filegroup(name = "lcov_merger", visibility = ["//visibility:public"])
""")

_coverage_tools = repository_rule(implementation = _coverage_tools_impl, local = True)

def bazel_stubs():
    """Declares the stand-ins, unless this is a newer Bazel."""
    version = native.bazel_version
    if version and not version.startswith("4."):
        return
    _rules_cc(name = "rules_cc")
    _coverage_tools(name = "remote_coverage_tools")
    native.local_repository(name = "rules_java", path = "/usr/share/bazel/rules/java")
    native.local_repository(name = "rules_proto", path = "/usr/share/bazel/rules/proto")
