"""A test over the dependencies and sources of everything that some programs are made of."""

_Layers = provider(fields = {
    "edges": "depset of 'FROM TO', two labels: the first depends on the second",
    "files": "depset of source files",
})

def _own_sources(rule):
    files = []
    for attribute in ("srcs", "hdrs"):
        files += getattr(rule.files, attribute, [])
    return [file for file in files if file.is_source and not file.path.startswith("external/")]

def _collect_impl(target, ctx):
    deps = getattr(ctx.rule.attr, "deps", [])
    edges = ["%s %s" % (target.label, dep.label) for dep in deps]
    return [_Layers(
        edges = depset(edges, transitive = [dep[_Layers].edges for dep in deps]),
        files = depset(_own_sources(ctx.rule), transitive = [dep[_Layers].files for dep in deps]),
    )]

_collect = aspect(implementation = _collect_impl, attr_aspects = ["deps"])

def _layering_test_impl(ctx):
    edges = depset(transitive = [dep[_Layers].edges for dep in ctx.attr.deps])
    files = depset(transitive = [dep[_Layers].files for dep in ctx.attr.deps])
    graph = ctx.actions.declare_file(ctx.label.name + ".edges")
    ctx.actions.write(graph, "".join([edge + "\n" for edge in sorted(edges.to_list())]))
    script = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(
        script,
        "#!/bin/sh\nexec python3 %s %s\n" % (ctx.file.checker.short_path, graph.short_path),
        is_executable = True,
    )
    runfiles = ctx.runfiles([graph, ctx.file.checker], transitive_files = files)
    return [DefaultInfo(executable = script, runfiles = runfiles)]

layering_test = rule(
    implementation = _layering_test_impl,
    attrs = {
        "checker": attr.label(allow_single_file = [".py"], mandatory = True),
        "deps": attr.label_list(aspects = [_collect], mandatory = True),
    },
    test = True,
)
