#!/usr/bin/python3
"""Checks the Kubernetes manifests: that kustomize takes every overlay, that names and ports they refer to are there,
that every container is locked up, and that the daemons know the flags they are given.

Without kubectl the base alone is checked, as it is written.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

SOURCE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {
    "/usr/bin/syncline-coordinator": "server/coordinator/syncline-coordinator",
    "/usr/bin/syncline-ps": "server/syncline-ps",
    "/usr/bin/syncline-worker": "worker/syncline-worker",
}
problems = []


def complain(where, what):
    problems.append(f"{where}: {what}")


def known_flags(program):
    text = subprocess.run([PROGRAMS[program], "--helpfull"], text=True, stdout=subprocess.PIPE).stdout
    return set(re.findall(r"^\s+--([a-z_]+) \(", text, re.M))


def templates(documents):
    """The pod templates: what each is of, the template, and the selector that has to fit it, if any."""
    for document in documents:
        if document["kind"] in ("StatefulSet", "Job"):
            spec = document["spec"]
            yield document, spec["template"], spec.get("selector", {}).get("matchLabels", {})


def check_flags(where, container, flags):
    program = container["command"][0]
    if program not in flags and not program.startswith("/usr/bin/syncline"):
        return  # not ours
    for argument in container["args"]:
        flag = re.match(r"--([a-z_]+)", argument).group(1)
        if flag not in flags.get(program, ()):
            complain(where, f"{program} has no flag --{flag}")


def check_container(where, container, volumes, flags):
    check_flags(where, container, flags)
    for name in re.findall(r"\$\((\w+)\)", " ".join(container["args"])):
        if name not in [variable["name"] for variable in container.get("env", [])]:
            complain(where, f"$({name}) is not in env")
    ports = {port["name"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        how = container[probe].get("httpGet") or container[probe]["tcpSocket"]
        if how["port"] not in ports:
            complain(where, f"{probe} asks port {how['port']}, there are {sorted(ports)}")
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in volumes:
            complain(where, f"no volume {mount['name']}")
    security = container["securityContext"]
    locked = (security.get("readOnlyRootFilesystem") and security.get("allowPrivilegeEscalation") is False
              and security.get("capabilities", {}).get("drop") == ["ALL"])
    if not locked:
        complain(where, "securityContext: the root file system is to be read-only, all capabilities dropped")
    if "requests" not in container["resources"]:
        complain(where, "resources.requests is missing")


def check(name, documents, flags):
    kinds = {}
    for document in documents:
        for field in ("apiVersion", "kind", "metadata"):
            if field not in document:
                complain(name, f"a document without {field}")
        kinds.setdefault(document["kind"], {})[document["metadata"]["name"]] = document
    for kind in ("Service", "StatefulSet", "Job", "PodDisruptionBudget", "NetworkPolicy", "PersistentVolumeClaim"):
        if kind not in kinds:
            complain(name, f"there is no {kind}")
    labels = [template["metadata"]["labels"] for _, template, _ in templates(documents)]
    for service in kinds["Service"].values():
        wanted = service["spec"]["selector"].items()
        if not any(wanted <= these.items() for these in labels):
            complain(name, f"Service {service['metadata']['name']} selects no pod")
    for document, template, selector in templates(documents):
        where = f"{name}: {document['kind']} {document['metadata']['name']}"
        if not selector.items() <= template["metadata"]["labels"].items():
            complain(where, "its selector does not fit its pods")
        if document["kind"] == "StatefulSet" and document["spec"]["serviceName"] not in kinds["Service"]:
            complain(where, f"no Service {document['spec']['serviceName']}")
        pod = template["spec"]
        if not pod["securityContext"].get("runAsNonRoot"):
            complain(where, "runAsNonRoot is not set")
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        volumes.update({claim["metadata"]["name"]: claim for claim in document["spec"].get("volumeClaimTemplates", [])})
        for volume in volumes.values():
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and claim not in kinds["PersistentVolumeClaim"]:
                complain(where, f"no PersistentVolumeClaim {claim}")
            config = volume.get("configMap", {}).get("name")
            if config and "ConfigMap" in kinds and config not in kinds["ConfigMap"]:
                complain(where, f"no ConfigMap {config}")
        for container in pod["containers"]:
            check_container(where, container, volumes, flags)
        if not any(c["command"][0] in flags for c in pod["containers"]):
            continue
        plain = any("--allow_plaintext" in c["args"] for c in pod["containers"])
        if plain == (name == "tls"):
            complain(where, "plaintext" if plain else "neither TLS nor --allow_plaintext")


def check_job(path):
    """The coordinator starts by it, and goes on until it is told to stop."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run([PROGRAMS["/usr/bin/syncline-coordinator"], f"--job={path}", "--metadata=none",
                                   f"--checkpoint_directory={folder}"], text=True, timeout=1,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            complain(path, done.stdout)
        except subprocess.TimeoutExpired:
            pass


def render(here, overlay):
    done = subprocess.run(["kubectl", "kustomize", os.path.join(here, "overlays", overlay)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        complain(overlay, done.stderr.strip())
        return []
    return list(yaml.safe_load_all(done.stdout))


def check_tfjob(path, flags):
    with open(path) as file:
        job = yaml.safe_load(file)
    for kind, replicas in job["spec"]["tfReplicaSpecs"].items():
        container = replicas["template"]["spec"]["containers"][0]
        # What the operator looks for.
        if container["name"] != "tensorflow" or container["ports"][0]["name"] != "tfjob-port":
            complain(f"{path}: {kind}", "the container must be named tensorflow, its port tfjob-port")
        check_flags(f"{path}: {kind}", container, flags)


def check_runtime(path, flags):
    with open(path) as file:
        runtime = yaml.safe_load(file)
    jobs = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    # What the trainer looks for.
    if [job["name"] for job in jobs] != ["node"]:
        complain(path, "its one job must be named node")
    for job in jobs:
        label = job["template"]["metadata"]["labels"].get("trainer.kubeflow.org/trainjob-ancestor-step")
        container = job["template"]["spec"]["template"]["spec"]["containers"][0]
        if label != "trainer" or container["name"] != "node":
            complain(path, "the trainer's job must be labelled so, its container named node")
        check_flags(path, container, flags)


def check_all(here):
    flags = {program: known_flags(program) for program in PROGRAMS}
    check_tfjob(os.path.join(SOURCE, "kubeflow", "tfjob.yaml"), flags)
    check_runtime(os.path.join(SOURCE, "kubeflow", "training_runtime.yaml"), flags)
    base = os.path.join(here, "base")
    check_job(os.path.join(base, "job.yaml"))
    overlays = sorted(os.listdir(os.path.join(here, "overlays")))
    if shutil.which("kubectl"):
        for overlay in overlays:
            documents = render(here, overlay)
            if documents:
                check(overlay, documents, flags)
                print(f"{overlay}: {len(documents)} objects")
        return
    print("no kubectl here: the overlays are not rendered, the base is checked as it is written")
    with open(os.path.join(base, "kustomization.yaml")) as file:
        resources = yaml.safe_load(file)["resources"]
    check("base", [d for name in resources for d in yaml.safe_load_all(open(os.path.join(base, name)))], flags)
    for overlay in overlays:
        folder = os.path.join(here, "overlays", overlay)
        with open(os.path.join(folder, "kustomization.yaml")) as file:
            wanted = yaml.safe_load(file)
        for path in wanted["resources"] + [p["path"] for p in wanted.get("patches", []) if "path" in p]:
            if not os.path.exists(os.path.join(folder, path)):
                complain(overlay, f"no {path}")


def main():
    # kustomize follows no links out of its folder.
    with tempfile.TemporaryDirectory() as here:
        for folder in ("base", "overlays"):
            shutil.copytree(os.path.join(SOURCE, folder), os.path.join(here, folder))
        check_all(here)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
