"""C++ from .proto files, with the protoc and the gRPC plugin of this machine."""

def syncline_proto(name, src, deps = [], grpc = False):
    """Declares the C++ library of one .proto file.

    Args:
      name: messages are in :NAME_cc_proto; services, with grpc, in :NAME_cc_grpc.
      src: the file; included as "<package>/<stem>.pb.h" and "<package>/<stem>.grpc.pb.h".
      deps: other syncline_proto names of this package, which `src` imports.
      grpc: whether the file has services.
    """
    stem = src[:-len(".proto")]
    native.filegroup(
        name = name + "_proto",
        srcs = [src] + [dep + "_proto" for dep in deps],
    )
    _protoc(
        name = name + "_cc_proto",
        outs = [stem + ".pb.h", stem + ".pb.cc"],
        proto = name + "_proto",
        src = src,
        flags = "--cpp_out=$(GENDIR)",
        deps = [dep + "_cc_proto" for dep in deps] + ["@system//:protobuf"],
    )
    if grpc:
        _protoc(
            name = name + "_cc_grpc",
            outs = [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"],
            proto = name + "_proto",
            src = src,
            flags = "--plugin=protoc-gen-grpc=$(location @system//:grpc_cpp_plugin) " +
                    "--grpc_out=$(GENDIR)",
            tools = ["@system//:grpc_cpp_plugin"],
            deps = [name + "_cc_proto", "@system//:grpc"],
        )

def _protoc(name, outs, proto, src, flags, deps, tools = []):
    native.genrule(
        name = name + "_gen",
        srcs = [src, proto],
        outs = outs,
        cmd = "$(location @system//:protoc) -I. %s $(location %s)" % (flags, src),
        tools = ["@system//:protoc"] + tools,
        visibility = ["//visibility:private"],
    )
    native.cc_library(
        name = name,
        srcs = [outs[1]],
        hdrs = [outs[0]],
        copts = ["-w"],  # not our code
        deps = deps,
    )
