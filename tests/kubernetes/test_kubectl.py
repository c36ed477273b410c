"""docs/kubernetes.md's commands by kubectl itself, where it is installed: what it would make, without a cluster."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from process.settings import Settings, field_of
from tests.snippets import ROOT, run_by
from tests.terminal import Terminal

RENDERED, SECRETS = (each.text for each in run_by("tests/kubernetes/test_kubectl.py", "docs/kubernetes.md"))
WITHOUT_CLUSTER: Final = 'kubectl() { command kubectl "$@" --dry-run=client --output=json; }\n'
WORKLOADS: Final = {
    *(("StatefulSet", name) for name in ("stream", "web")),
    *(("Deployment", name) for name in ("badges", "counts")),
    *(("Job", name) for name in ("topics", "migrations")),
}

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def paste(lines: str, tmp_path: Path) -> str:
    """Run lines of the page beside the manifests, with no cluster configured."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    return Terminal(tmp_path, KUBECONFIG=str(tmp_path / "none")).paste(lines)


def documents(text: str) -> Iterator[Any]:
    """Yield JSON that was printed one after the other."""
    decoder = json.JSONDecoder()
    text = text.lstrip()
    while text:
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:].lstrip()


def test_production_is_rendered(tmp_path: Path) -> None:
    """With every component, by the kustomize that is part of kubectl."""
    objects = list(yaml.safe_load_all(paste(RENDERED, tmp_path)))
    assert {(each["kind"], each["metadata"]["name"]) for each in objects} >= WORKLOADS


def test_secrets_have_the_names_of_settings(tmp_path: Path) -> None:
    """The namespace and its secrets; each key is the variable of a setting."""
    namespace, *secrets = documents(paste(WITHOUT_CLUSTER + SECRETS, tmp_path))
    assert namespace["metadata"]["name"] == "referrals"
    assert [each["metadata"]["name"] for each in secrets] == ["migrations", "web"]
    for secret in secrets:
        assert secret["metadata"]["namespace"] == "referrals"
        assert {field_of(key) for key in secret["data"]} <= Settings.model_fields.keys()
