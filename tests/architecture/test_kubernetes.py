"""The Kubernetes manifests hold together, and with the code: schemas, settings, probes, selectors, targets, paths.

What the operators define is held by SHAPES, a list of the fields that are used here with their types: packages with
their own schemas take longer to install and import than all tests of this folder.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from ipaddress import ip_address, ip_network
from typing import Any

import kubernetes_validate
import pytest
import yaml

from postroad_common.amqp.topology import QUEUES
from postroad_common.lifecycle import AFTER_DRAIN_SECONDS
from postroad_common.migrations import LOGIN_ROLES
from postroad_common.settings import CommonSettings, env_name, load_settings
from postroad_scheduler.settings import SchedulerSettings
from postroad_sender.settings import SenderSettings
from postroad_sequence_api.app import ROUTES
from postroad_sequence_api.settings import SequenceApiSettings
from postroad_tracker.settings import TrackerSettings
from tests.architecture.manifests import (
    CUSTOM,
    KUBERNETES,
    Manifests,
    Object,
    container,
    example,
    printed,
    render,
    selects,
    title,
)
from tests.architecture.operators_docs import ROOT

VERSIONS = ("1.30", "1.37")
"""The oldest Kubernetes that docs/kubernetes.md names, and the newest whose schemas are at hand."""
SETTINGS: Mapping[str, type[CommonSettings]] = {
    "postroad-sequence-api": SequenceApiSettings,
    "postroad-scheduler": SchedulerSettings,
    "postroad-sender": SenderSettings,
    "postroad-tracker": TrackerSettings,
}
MIGRATE = {"POSTROAD_DATABASE_URL"} | {
    f"POSTROAD_ROLE_PASSWORD_{role.removeprefix('postroad_').upper()}" for role in LOGIN_ROLES
}
PROGRAMS = {script.name for script in entry_points(group="console_scripts")}
OPERATORS_PATHS = ("/healthz", "/readyz", "/metrics")
READINESS_SECONDS = 2.0
REFERENCE = re.compile(r"\$\((\w+)\)")

BACKUPS = {"name": str, "isWALArchiver": bool, "parameters": {"barmanObjectName": str}}
BEHAVIOR = {"stabilizationWindowSeconds": int, "policies": [{"type": str, "value": int, "periodSeconds": int}]}
KEY = {"name": str, "key": str}
SHAPES: Mapping[str, Any] = {
    "keda.sh/v1alpha1/ScaledObject": {
        "scaleTargetRef": {"name": str},
        "minReplicaCount": int,
        "maxReplicaCount": int,
        "pollingInterval": int,
        "fallback": {"failureThreshold": int, "replicas": int},
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": {"scaleUp": BEHAVIOR, "scaleDown": BEHAVIOR}}},
        "triggers": [
            {
                "type": str,
                "metadata": {"host": str, "protocol": str, "queueName": str, "mode": str, "value": str},
                "authenticationRef": {"name": str},
            }
        ],
    },
    "keda.sh/v1alpha1/TriggerAuthentication": {"secretTargetRef": [{"parameter": str, **KEY}]},
    "monitoring.coreos.com/v1/PodMonitor": {
        "selector": {"matchLabels": dict},
        "jobLabel": str,
        "podMetricsEndpoints": [{"port": str, "path": str, "interval": str}],
    },
    "monitoring.coreos.com/v1/PrometheusRule": {"groups": [{"name": str, "rules": list}]},
    "rabbitmq.com/v1beta1/RabbitmqCluster": {
        "replicas": int,
        "image": str,
        "persistence": {"storage": str},
        "resources": {"requests": dict, "limits": dict},
        "rabbitmq": {"additionalConfig": str},
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list}},
    },
    "postgresql.cnpg.io/v1/Cluster": {
        "instances": int,
        "imageName": str,
        "enableSuperuserAccess": bool,
        "bootstrap": {"initdb": {"database": str, "owner": str}},
        "postgresql": {
            "synchronous": {"method": str, "number": int, "dataDurability": str},
            "parameters": dict,
        },
        "storage": {"size": str},
        "walStorage": {"size": str},
        "resources": {"requests": dict, "limits": dict},
        "affinity": {"topologyKey": str, "podAntiAffinityType": str},
        "plugins": [BACKUPS],
    },
    "barmancloud.cnpg.io/v1/ObjectStore": {
        "retentionPolicy": str,
        "configuration": {
            "destinationPath": str,
            "s3Credentials": {"accessKeyId": KEY, "secretAccessKey": KEY},
            "wal": {"compression": str},
        },
    },
    "postgresql.cnpg.io/v1/ScheduledBackup": {
        "schedule": str,
        "backupOwnerReference": str,
        "cluster": {"name": str},
        "method": str,
        "pluginConfiguration": {"name": str},
    },
}


@cache
def read() -> Manifests:
    """All that an installation consists of: rendered, from the examples, and printed by scripts."""
    return Manifests.read(
        render("overlays/production/migrate"),
        render("overlays/production"),
        example("rabbitmq"),
        example("postgres"),
        printed("make-secrets"),
        printed("prometheus-rule"),
    )


@pytest.fixture
def manifests() -> Manifests:
    """An installation, to be changed at will."""
    return copy.deepcopy(read())


def faults(manifests: Manifests) -> list[str]:
    """What is wrong with objects of sound shape, as "kind/name: what"."""
    return [fault for rule in RULES for fault in rule(manifests)]


def misshapen(value: object, shape: Any, where: str = "spec") -> Iterator[str]:
    """Fields that a shape does not have, and values of another type."""
    if isinstance(shape, dict) and isinstance(value, dict):
        yield from (f"{where} has no field {name}" for name in value.keys() - shape.keys())
        for name in value.keys() & shape.keys():
            yield from misshapen(value[name], shape[name], f"{where}.{name}")
    elif isinstance(shape, list) and isinstance(value, list):
        for item in value:
            yield from misshapen(item, shape[0], f"{where}[]")
    elif not (isinstance(shape, type) and type(value) is shape):
        yield f"{where} is {value!r}"


def malformed(items: list[Object], versions: Sequence[str] = VERSIONS) -> Iterator[str]:
    """What the schemas of Kubernetes say against objects, and SHAPES against those of operators."""
    for item in items:
        if item["apiVersion"].startswith(CUSTOM):
            shape = SHAPES[f"{item['apiVersion']}/{item['kind']}"]
            yield from (f"{title(item)}: {fault}" for fault in misshapen(item["spec"], shape))
            continue
        for version in versions:
            try:
                kubernetes_validate.validate(item, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{title(item)}: Kubernetes {version}: {error.message}"
                break


def environment(pod: Object) -> dict[str, Object]:
    return {variable["name"]: variable for variable in container(pod).get("env", [])}


def variables(manifests: Manifests) -> Iterator[str]:
    for name, pod in manifests.pods():
        given = environment(pod)
        settings = SETTINGS.get(name)
        known = {env_name(settings, field) for field in settings.model_fields} if settings else MIGRATE
        required = (
            {env_name(settings, field) for field, info in settings.model_fields.items() if info.is_required()}
            if settings
            else MIGRATE
        )
        ours = {variable for variable in given if variable.startswith("POSTROAD_")}
        yield from (f"{name}: nobody reads {variable}" for variable in sorted(ours - known))
        yield from (f"{name}: {variable} is required" for variable in sorted(required - ours))
        seen: set[str] = set()
        for variable, entry in given.items():
            for reference in REFERENCE.findall(str(entry.get("value", ""))):
                if reference not in seen:
                    yield f"{name}: {variable} refers to {reference}, which is not there yet"
            seen.add(variable)


def keys_of(manifests: Manifests, kind: str, name: str) -> set[str]:
    """Of a ConfigMap, a Secret, or a Secret that an operator makes for its cluster."""
    login = {"username", "password"}
    made = {f"{item['metadata']['name']}-default-user": login for item in manifests.of("RabbitmqCluster")}
    made |= {
        f"{item['metadata']['name']}-superuser": login
        for item in manifests.of("Cluster")
        if item["spec"].get("enableSuperuserAccess")
    }
    item = manifests.get(kind, name) or {}
    return {*item.get("data", {}), *item.get("stringData", {}), *(made.get(name, set()) if kind == "Secret" else set())}


def references(manifests: Manifests) -> Iterator[str]:
    wanted = [
        (name, kind, variable["valueFrom"][source])
        for name, pod in manifests.pods()
        for variable in environment(pod).values()
        for source, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap"))
        if source in variable.get("valueFrom", {})
    ]
    wanted += [
        (item["metadata"]["name"], "Secret", reference)
        for item in manifests.of("TriggerAuthentication")
        for reference in item["spec"]["secretTargetRef"]
    ]
    for name, kind, reference in wanted:
        if reference["key"] not in keys_of(manifests, kind, reference["name"]):
            yield f"{name}: {kind} {reference['name']} has no {reference['key']}"


def commands(manifests: Manifests) -> Iterator[str]:
    for name, pod in manifests.pods():
        if container(pod)["command"] != [name] or name not in PROGRAMS:
            yield f"{name}: there is no command {container(pod)['command']}"


def pinned(manifests: Manifests) -> Iterator[str]:
    images = [(name, container(pod)["image"]) for name, pod in manifests.pods()]
    images += [(title(item), item["spec"]["image"]) for item in manifests.of("RabbitmqCluster")]
    images += [(title(item), item["spec"]["imageName"]) for item in manifests.of("Cluster")]
    for name, image in images:
        if not re.search(r"(:(?!latest)[\w.-]+|@sha256:[0-9a-f]{64})$", image):
            yield f"{name}: {image} names no version"


def confined(manifests: Manifests) -> Iterator[str]:
    for name, pod in manifests.pods():
        spec, only = pod["spec"], container(pod)
        security, inner = spec.get("securityContext", {}), only.get("securityContext", {})
        if not (security.get("runAsNonRoot") and security.get("runAsUser") == security.get("runAsGroup") == 10001):
            yield f"{name}: does not run as 10001"
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name}: any system call is open to it"
        if inner != {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }:
            yield f"{name}: may write to its image, gain privileges, or has capabilities"
        if spec.get("automountServiceAccountToken") is not False or spec.get("serviceAccountName") != "postroad":
            yield f"{name}: holds a token of Kubernetes"
        if spec.get("enableServiceLinks") is not False:
            yield f"{name}: would take the variables of services for settings"
        if not {"cpu", "memory"} <= only["resources"]["requests"].keys() or "memory" not in only["resources"]["limits"]:
            yield f"{name}: may take all memory, or asks for nothing"
        if environment(pod).get("PYTHONOPTIMIZE", {}).get("value") != "1":
            yield f"{name}: fault points are compiled in"


def probes(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("Deployment"):
        name, only = item["metadata"]["name"], container(item["spec"]["template"])
        port = environment(item["spec"]["template"])["POSTROAD_HTTP_PORT"]["value"]
        if [str(entry["containerPort"]) for entry in only["ports"] if entry["name"] == "http"] != [port]:
            yield f"{name}: does not listen on the port it names"
        for kind, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            if only.get(kind, {}).get("httpGet") != {"path": path, "port": "http"}:
                yield f"{name}: {kind} does not ask {path}"
        starting = only["startupProbe"]["periodSeconds"] * only["startupProbe"]["failureThreshold"]
        if starting <= CommonSettings.model_fields["start_seconds"].default:
            yield f"{name}: is ended after {starting} s of starting"
        if only["readinessProbe"]["timeoutSeconds"] <= READINESS_SECONDS:
            yield f"{name}: readiness is asked with less patience than its checks take"


def time_to_drain(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("Deployment"):
        name, pod = item["metadata"]["name"], item["spec"]["template"]
        sleep = container(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = float(environment(pod)["POSTROAD_DRAIN_SECONDS"]["value"])
        if pod["spec"]["terminationGracePeriodSeconds"] < sleep + drain + AFTER_DRAIN_SECONDS:
            yield f"{name}: is killed before it has drained"
        if manifests.get("Service", name) and not sleep:
            yield f"{name}: ends while calls still arrive"


def selectors(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("Deployment"):
        name, pod = item["metadata"]["name"], item["spec"]["template"]
        spread = [entry["labelSelector"] for entry in pod["spec"]["topologySpreadConstraints"]]
        for selector in (item["spec"]["selector"], *spread):
            if manifests.selected(selector) != {name}:
                yield f"{name}: selects {sorted(manifests.selected(selector))}"
        budgets = [entry for entry in manifests.of("PodDisruptionBudget") if entry["metadata"]["name"] == name]
        if [manifests.selected(entry["spec"]["selector"]) for entry in budgets] != [{name}]:
            yield f"{name}: nothing holds back its disruption"
    for item in manifests.of("Service"):
        taken = manifests.selected({"matchLabels": item["spec"]["selector"]})
        if taken != {item["metadata"]["name"]}:
            yield f"{title(item)}: leads to {sorted(taken)}"
        for port in item["spec"]["ports"]:
            if port["targetPort"] != "http":
                yield f"{title(item)}: there is no port {port['targetPort']}"


def scaling(manifests: Manifests) -> Iterator[str]:
    scaled = {}
    for item in manifests.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = item["spec"]["scaleTargetRef"]["name"]
        if manifests.get("Deployment", target) is None:
            yield f"{title(item)}: there is no deployment {target}"
        scaled[target] = item
        if item["spec"].get("minReplicas", item["spec"].get("minReplicaCount", 0)) < 2:
            yield f"{title(item)}: may leave one"
    for item in manifests.of("Deployment"):
        replicas = item["spec"].get("replicas")
        if item["metadata"]["name"] in scaled and replicas is not None:
            yield f"{title(item)}: each apply would undo the scaling"
        if item["metadata"]["name"] not in scaled and (replicas or 1) < 2:
            yield f"{title(item)}: there is only one"
    for item in manifests.of("ScaledObject"):
        for trigger in item["spec"]["triggers"]:
            if trigger["metadata"]["queueName"] not in QUEUES:
                yield f"{title(item)}: there is no queue {trigger['metadata']['queueName']}"
            if manifests.get("TriggerAuthentication", trigger["authenticationRef"]["name"]) is None:
                yield f"{title(item)}: there is no login {trigger['authenticationRef']['name']}"
            host = re.match(r"amqp://([\w-]+)\.([\w-]+)\.svc:5672/$", trigger["metadata"]["host"])
            if not host or not manifests.get("RabbitmqCluster", host[1]) or host[2] != item["metadata"]["namespace"]:
                yield f"{title(item)}: there is no broker at {trigger['metadata']['host']}"


def connections(manifests: Manifests) -> Iterator[str]:
    """Each rollout starts one process more, and the migrations and people need some too."""
    processes = 0
    for item in manifests.of("Deployment"):
        scaler = [
            entry["spec"].get("maxReplicas", entry["spec"].get("maxReplicaCount"))
            for entry in manifests.of("HorizontalPodAutoscaler", "ScaledObject")
            if entry["spec"]["scaleTargetRef"]["name"] == item["metadata"]["name"]
        ]
        processes += max([item["spec"].get("replicas", 1), *scaler]) + 1
    needed = processes * CommonSettings.model_fields["database_connections"].default + 10
    for item in manifests.of("Cluster"):
        limit = int(item["spec"]["postgresql"]["parameters"]["max_connections"])
        if limit < needed:
            yield f"{title(item)}: {limit} connections, and {needed} may be wanted"


def public_paths(manifests: Manifests) -> Iterator[str]:
    tracker = (ROOT / "services/tracker/src/postroad_tracker/app.py").read_text()
    served = {
        "postroad-tracker": set(re.findall(r'web\.(?:get|post)\("(/[^"]+)"', tracker)),
        "postroad-sequence-api": {route.path for route in ROUTES} | {"/openapi.json", "/docs"},
    }
    for item in manifests.of("Ingress"):
        opened: dict[str, set[tuple[str, str]]] = {}
        for rule in item["spec"]["rules"]:
            for entry in rule["http"]["paths"]:
                service = entry["backend"]["service"]
                if manifests.get("Service", service["name"]) is None or service["port"] != {"name": "http"}:
                    yield f"{title(item)}: there is no service {service['name']}"
                opened.setdefault(service["name"], set()).add((entry["path"], entry["pathType"]))
        for name, routes in served.items():
            paths = opened.get(name, set())
            yield from (f"{title(item)}: {route} is closed" for route in sorted(routes) if not is_open(route, paths))
            yield from (
                f"{title(item)}: {path} of {name} is public" for path in OPERATORS_PATHS if is_open(path, paths)
            )
            yield from (
                f"{title(item)}: nothing is served at {path}"
                for path, kind in sorted(paths)
                if not any(is_open(route, {(path, kind)}) for route in routes)
            )


def is_open(route: str, paths: set[tuple[str, str]]) -> bool:
    """Whether an ingress hands a path on; a prefix counts by whole segments."""
    return any(route == path or (kind == "Prefix" and route.startswith(path.rstrip("/") + "/")) for path, kind in paths)


def watched(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("PodMonitor"):
        taken = manifests.selected(item["spec"]["selector"]) & SETTINGS.keys()
        label = item["spec"]["jobLabel"]
        jobs = {pod["metadata"]["labels"].get(label) for name, pod in manifests.pods() if name in taken}
        if jobs != SETTINGS.keys():
            yield f"{title(item)}: the alerts wait for {sorted(SETTINGS.keys() - jobs)}"
        for endpoint in item["spec"]["podMetricsEndpoints"]:
            if (endpoint["port"], endpoint["path"]) != ("http", "/metrics"):
                yield f"{title(item)}: there are no metrics at {endpoint['port']} {endpoint['path']}"


PUBLIC_PORTS: Mapping[str, set[tuple[int, int]]] = {
    "postroad-sender": {(25, 25), (465, 465), (587, 587), (2525, 2525)},
    "postroad-sequence-api": {(443, 443), (1024, 65535)},  # where webhooks may go: webhooks/destinations.py
}
PRIVATE = (
    *("10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
    *("fd00:ec2::254", "::1"),
)
"""Addresses of a cluster's own network, of a cloud's metadata and of the pod itself: no tenant may have us go there."""


def reachable(manifests: Manifests) -> Iterator[str]:
    """By the policies: everybody the servers, who is public the ingress, senders mail servers, the API receivers of
    webhooks, and nothing else."""
    policies = manifests.of("NetworkPolicy")
    for name, pod in manifests.pods():
        labels = pod["metadata"]["labels"]
        ours = [item["spec"] for item in policies if selects(item["spec"]["podSelector"], labels)]
        if {"policyTypes": ["Ingress", "Egress"]} not in [
            {key: value for key, value in spec.items() if key != "podSelector"} for spec in ours
        ]:
            yield f"{name}: what is not named is allowed"
        ways, public = [rule for spec in ours for rule in spec.get("egress", [])], PUBLIC_PORTS.get(name, set())
        out = set().union(*map(port_ranges, ways))
        if out != {(53, 53), (5432, 5432), (5672, 5672)} | public:
            yield f"{name}: may go to {sorted(out)}"
        yield from (f"{name}: may go to {where}" for rule in ways for where in astray(rule, public))
        spaces = {
            peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
            for spec in ours
            for rule in spec.get("ingress", [])
            for peer in rule["from"]
        }
        if ("ingress" in spaces) != (manifests.get("Service", name) is not None) or "monitoring" not in spaces:
            yield f"{name}: hears {sorted(spaces)}"
    for item in policies:
        selector = item["spec"]["podSelector"]
        servers = [{"cnpg.io/cluster": entry["metadata"]["name"]} for entry in manifests.of("Cluster")] + [
            {"app.kubernetes.io/name": entry["metadata"]["name"]} for entry in manifests.of("RabbitmqCluster")
        ]
        if not manifests.selected(selector) and selector.get("matchLabels") not in servers:
            yield f"{title(item)}: is about no pod"


def astray(rule: Object, public: set[tuple[int, int]]) -> Iterator[str]:
    """Where an egress rule leads beside addresses outside, at public ports, and pods it names, at all others."""
    ports = port_ranges(rule)
    kind = "ipBlock" if ports <= public else "podSelector"
    peers = rule.get("to", [])
    if not peers or any(kind not in peer for peer in peers):
        yield f"what is no {kind} at {sorted(ports)}"
    for block in (peer["ipBlock"] for peer in peers if "ipBlock" in peer):
        yield from (f"{address} at {sorted(ports)}" for address in PRIVATE if is_within(address, block))


def port_ranges(rule: Object) -> set[tuple[int, int]]:
    """The ports of an egress rule, each range with its ends."""
    return {(port["port"], port.get("endPort", port["port"])) for port in rule["ports"]}


def is_within(address: str, block: Object) -> bool:
    """Whether an address is in an ipBlock and in none of its exceptions."""
    here = ip_address(address)
    return here in ip_network(block["cidr"]) and not any(here in ip_network(net) for net in block.get("except", []))


def servers(manifests: Manifests) -> Iterator[str]:
    addresses = next(item["data"] for item in manifests.of("ConfigMap"))
    for item in manifests.of("RabbitmqCluster"):
        if item["spec"]["replicas"] != 3 or "pause_minority" not in item["spec"]["rabbitmq"]["additionalConfig"]:
            yield f"{title(item)}: does not outlive a node"
        if not addresses["amqp-address"].startswith(f"{item['metadata']['name']}:5672/"):
            yield f"{title(item)}: is not at {addresses['amqp-address']}"
    stores = {item["metadata"]["name"] for item in manifests.of("ObjectStore")}
    for item in manifests.of("Cluster"):
        name, spec = item["metadata"]["name"], item["spec"]
        durable = spec["postgresql"].get("synchronous", {}).get("dataDurability") == "required"
        if spec["instances"] < 3 or not durable:
            yield f"{title(item)}: what was answered may be lost with a node"
        if {plugin["parameters"]["barmanObjectName"] for plugin in spec["plugins"]} - stores:
            yield f"{title(item)}: is backed up to nowhere"
        if [entry["spec"]["cluster"]["name"] for entry in manifests.of("ScheduledBackup")] != [name]:
            yield f"{title(item)}: is never backed up"
        if not addresses["database-address"].startswith(f"{name}-rw:5432/{spec['bootstrap']['initdb']['database']}?"):
            yield f"{title(item)}: is not at {addresses['database-address']}"


RULES: tuple[Callable[[Manifests], Iterator[str]], ...] = (
    *(variables, references, commands, pinned, confined, probes, time_to_drain, selectors, scaling, connections),
    *(public_paths, watched, reachable, servers),
)


def test_the_manifests_hold_together_and_with_the_code(manifests: Manifests) -> None:
    assert list(malformed(manifests.objects)) == []
    assert faults(manifests) == []


def _pod(item: Object) -> Object:
    spec: Object = item["spec"]["template"]["spec"]
    return spec


def _variable(item: Object, name: str) -> Object:
    return next(entry for entry in container(item["spec"]["template"])["env"] if entry["name"] == name)


PLANTED: Mapping[str, tuple[str, str, Callable[[Object], object]]] = {
    "'replica' was unexpected": ("Deployment", "postroad-sender", lambda it: it["spec"].update(replica=2)),
    "spec has no field minReplicas": ("ScaledObject", "postroad-sender", lambda it: it["spec"].update(minReplicas=2)),
    "spec.instances is '3'": ("Cluster", "postroad-postgres", lambda it: it["spec"].update(instances="3")),
    "nobody reads POSTROAD_SENDER_EHLO_NAM": (
        *("Deployment", "postroad-sender"),
        lambda it: container(it["spec"]["template"])["env"].append({"name": "POSTROAD_SENDER_EHLO_NAM", "value": "x"}),
    ),
    "POSTROAD_SECRET_KEYS is required": (
        *("Deployment", "postroad-tracker"),
        lambda it: _variable(it, "POSTROAD_SECRET_KEYS").update(name="SECRET_KEYS"),
    ),
    "POSTROAD_AMQP_URL refers to AMQP_USER, which is not there yet": (
        *("Deployment", "postroad-scheduler"),
        lambda it: _variable(it, "POSTROAD_AMQP_URL").update(value="amqp://$(AMQP_USER)@x"),
    ),
    "Secret postroad-database has no sendr": (
        *("Deployment", "postroad-sender"),
        lambda it: _variable(it, "DATABASE_PASSWORD")["valueFrom"]["secretKeyRef"].update(key="sendr"),
    ),
    "names no version": (
        *("Job", "postroad-migrate"),
        lambda it: container(it["spec"]["template"]).update(image="registry.example.com/postroad:latest"),
    ),
    "may write to its image": (
        *("Deployment", "postroad-tracker"),
        lambda it: container(it["spec"]["template"])["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    "does not run as 10001": (
        *("Job", "postroad-migrate"),
        lambda it: _pod(it)["securityContext"].pop("runAsNonRoot"),
    ),
    "holds a token": (*("Deployment", "postroad-sender"), lambda it: _pod(it).pop("automountServiceAccountToken")),
    "variables of services for settings": (
        *("Deployment", "postroad-sequence-api"),
        lambda it: _pod(it).pop("enableServiceLinks"),
    ),
    "livenessProbe does not ask /healthz": (
        *("Deployment", "postroad-sender"),
        lambda it: container(it["spec"]["template"])["livenessProbe"]["httpGet"].update(path="/readyz"),
    ),
    "is ended after 30 s of starting": (
        *("Deployment", "postroad-sender"),
        lambda it: container(it["spec"]["template"])["startupProbe"].update(failureThreshold=10),
    ),
    "is killed before it has drained": (
        *("Deployment", "postroad-tracker"),
        lambda it: _pod(it).update(terminationGracePeriodSeconds=30),
    ),
    "ends while calls still arrive": (
        *("Deployment", "postroad-tracker"),
        lambda it: container(it["spec"]["template"]).pop("lifecycle"),
    ),
    "nothing holds back its disruption": (
        *("PodDisruptionBudget", "postroad-scheduler"),
        lambda it: it["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/name": "scheduler"}),
    ),
    "leads to []": ("Service", "postroad-tracker", lambda it: it["spec"].update(selector={"app": "tracker"})),
    "there is no deployment postroad-api": (
        *("HorizontalPodAutoscaler", "postroad-sequence-api"),
        lambda it: it["spec"]["scaleTargetRef"].update(name="postroad-api"),
    ),
    "each apply would undo the scaling": (
        *("Deployment", "postroad-sequence-api"),
        lambda it: it["spec"].update(replicas=3),
    ),
    "there is only one": ("Deployment", "postroad-scheduler", lambda it: it["spec"].update(replicas=1)),
    "there is no queue sender.dues": (
        *("ScaledObject", "postroad-sender"),
        lambda it: it["spec"]["triggers"][0]["metadata"].update(queueName="sender.dues"),
    ),
    "300 connections, and": ("ScaledObject", "postroad-sender", lambda it: it["spec"].update(maxReplicaCount=20)),
    "/metrics of postroad-tracker is public": (
        *("Ingress", "postroad"),
        lambda it: it["spec"]["rules"][1]["http"]["paths"][0].update(path="/"),
    ),
    "/u/{token} is closed": (
        *("Ingress", "postroad"),
        lambda it: it["spec"]["rules"][1]["http"]["paths"].pop(2),
    ),
    "the alerts wait for": (
        *("PodMonitor", "postroad"),
        lambda it: it["spec"].update(jobLabel="app.kubernetes.io/component"),
    ),
    "may go to": (
        *("NetworkPolicy", "postroad-smtp"),
        lambda it: it["spec"]["egress"][0]["ports"].append({"port": 443, "protocol": "TCP"}),
    ),
    "postroad-sequence-api: may go to what is no ipBlock": (
        *("NetworkPolicy", "postroad-webhooks"),
        lambda it: it["spec"]["egress"][0].pop("to"),
    ),
    "postroad-sender: may go to 169.254.169.254": (
        *("NetworkPolicy", "postroad-smtp"),
        lambda it: it["spec"]["egress"][0]["to"][0]["ipBlock"]["except"].remove("169.254.0.0/16"),
    ),
    "postroad-scheduler: may go to what is no podSelector": (
        *("NetworkPolicy", "postroad-servers"),
        lambda it: it["spec"]["egress"][1].update(to=[{"ipBlock": {"cidr": "0.0.0.0/0"}}]),
    ),
    "hears": (
        *("NetworkPolicy", "postroad-public"),
        lambda it: it["spec"]["podSelector"]["matchExpressions"][0]["values"].append("postroad-sender"),
    ),
    "may be lost with a node": (
        *("Cluster", "postroad-postgres"),
        lambda it: it["spec"]["postgresql"]["synchronous"].update(dataDurability="preferred"),
    ),
    "is backed up to nowhere": (
        *("ObjectStore", "postroad-backups"),
        lambda it: it["metadata"].update(name="backups"),
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_named(manifests: Manifests, fault: str) -> None:
    kind, name, plant = PLANTED[fault]
    item = manifests.get(kind, name)
    assert item is not None
    plant(item)

    found = list(malformed([item], VERSIONS[-1:])) or faults(manifests)

    assert [text for text in found if fault in text], found


def filled_in(manifests: Manifests, pod: Object) -> dict[str, str]:
    """A container's environment as Kubernetes makes it, with logins of the operators made up."""
    values: dict[str, str] = {}
    for name, variable in environment(pod).items():
        source = variable.get("valueFrom", {})
        if "value" in variable:
            values[name] = REFERENCE.sub(lambda found: values[found[1]], variable["value"])
        else:
            kind, reference = next(iter(source.items()))
            item = manifests.get("Secret" if kind == "secretKeyRef" else "ConfigMap", reference["name"]) or {}
            values[name] = {**item.get("data", {}), **item.get("stringData", {})}.get(reference["key"], "a-login")
    return values


@pytest.mark.parametrize("service", SETTINGS)
def test_with_what_the_manifests_give_a_service_reads_its_settings(
    manifests: Manifests, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = dict(manifests.pods())[service]
    for name, value in filled_in(manifests, pod).items():
        monkeypatch.setenv(name, value)

    settings = load_settings(SETTINGS[service])

    assert settings.http_host == "0.0.0.0"
    assert f"//{service.replace('-', '_')}:" in settings.database_url.get_secret_value()
    assert settings.amqp_url.get_secret_value() == "amqp://a-login:a-login@postroad-rabbitmq:5672/"


def test_the_base_is_plain_kubernetes_and_names_no_site() -> None:
    base = Manifests.read(render("base"))

    assert [title(item) for item in base.objects if item["apiVersion"].startswith(CUSTOM)] == []
    assert "example" not in render("base")


def test_no_secret_has_a_value_in_git() -> None:
    files = [path for path in KUBERNETES.rglob("*") if path.suffix == ".yaml"]
    kinds = [item["kind"] for path in files for item in yaml.safe_load_all(path.read_text()) if "kind" in item]

    assert "Secret" not in kinds
    secrets = Manifests.read(printed("make-secrets")).objects
    values = [value for item in secrets for value in item["stringData"].values()]
    assert len(set(values)) == len(values) == 2 + len(LOGIN_ROLES)
    assert all(len(value) >= 32 for value in values)


def test_the_alerts_of_the_prometheus_operator_are_the_alerts() -> None:
    rule = yaml.safe_load(printed("prometheus-rule"))

    assert rule["spec"] == yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())
