"""The Kubernetes manifests as objects: rendered by kubectl, and what is looked up in them."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

KUBERNETES: Final = Path(__file__).parents[2] / "deploy" / "kubernetes"
CUSTOM: Final = ("keda.sh", "monitoring.coreos.com", "rabbitmq.com", "postgresql.cnpg.io", "barmancloud.cnpg.io")
"""Groups of the operators' objects: the schemas of Kubernetes do not know them."""

Object = dict[str, Any]


@cache
def render(folder: str) -> str:
    """What `kubectl apply -k` of a folder would apply."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", KUBERNETES / folder], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


@cache
def printed(script: str) -> str:
    """What a script beside the manifests prints."""
    return subprocess.run([KUBERNETES / script], check=True, capture_output=True, text=True, timeout=60).stdout


def example(name: str) -> str:
    """An example of a server."""
    return (KUBERNETES / "examples" / f"{name}.yaml").read_text()


@dataclass(frozen=True)
class Manifests:
    """Objects that live in one namespace."""

    objects: list[Object]

    @classmethod
    def read(cls, *texts: str) -> "Manifests":
        """Every object of every text, one of a kind and name each: a later one takes the place of an earlier."""
        found = [found for text in texts for found in yaml.safe_load_all(text) if found]
        return cls(list({(item["kind"], item["metadata"]["name"]): item for item in found}.values()))

    def of(self, *kinds: str) -> list[Object]:
        """All of some kinds."""
        return [item for item in self.objects if item["kind"] in kinds]

    def get(self, kind: str, name: str) -> Object | None:
        """One by name."""
        return next((item for item in self.of(kind) if item["metadata"]["name"] == name), None)

    def pods(self) -> Iterator[tuple[str, Object]]:
        """(name, pod template) of each of our workloads."""
        for item in self.of("Deployment", "Job"):
            yield item["metadata"]["name"], item["spec"]["template"]

    def selected(self, selector: Object) -> set[str]:
        """Which workloads' pods a label selector takes."""
        return {name for name, pod in self.pods() if selects(selector, pod["metadata"]["labels"])}


def selects(selector: Object, labels: Object) -> bool:
    """Whether a selector takes a pod with these labels."""
    wanted = selector.get("matchLabels", {}).items()
    return wanted <= labels.items() and all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", [])
    )


def container(pod: Object) -> Object:
    """The one container of a pod of ours."""
    (only,) = pod["spec"]["containers"]
    found: Object = only
    return found


def title(item: Object) -> str:
    """As `kubectl` names it: deployment/postroad-sender."""
    return f"{item['kind'].lower()}/{item['metadata']['name']}"
