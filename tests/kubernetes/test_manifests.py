"""deploy/kubernetes: rendered by kustomize, decoded strictly by Kubernetes's types, and right for what they run.

And admitted, by what a kube-apiserver itself does with objects before it stores them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from commands.main import COMMANDS
from process.settings import ENVIRONMENT_PREFIX, Settings, load_settings
from tests.go_programs import compiled

ROOT: Final = Path(__file__).resolve().parents[2]
DEPLOY: Final = ROOT / "deploy/kubernetes"
PROGRAMS: Final = Path(__file__).parent
OVERLAYS: Final = ("development", "production")
LONG_RUNNING: Final = {"stream", "badges", "counts", "web"}
ONCE: Final = {"topics", "migrations"}
LIVE: Final = "/health/live"
MAIL: Final = "components: [../../components/mail]\n"
"""What docs/kubernetes.md says that an overlay takes mail in by."""
SECRETS: Final = {"database_url", "web_database_url", "secret_keys", "jwt_secret", "sasl_username", "sasl_password"}

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]  # the first run compiles a good part of Kubernetes


@pytest.fixture(scope="module")
def renderer() -> Path:
    """Give the program that renders and decodes."""
    return compiled(PROGRAMS / "rendering", of="Kubernetes")


@pytest.fixture(scope="module")
def admitter() -> Path:
    """Give the program that does what an API server does."""
    return compiled(PROGRAMS / "admitting", of="Kubernetes")


def render(renderer: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Render a folder."""
    return subprocess.run([renderer, folder], check=False, capture_output=True, text=True)


@pytest.fixture(scope="module", params=[(overlay, mail) for overlay in OVERLAYS for mail in (False, True)], ids=str)
def objects(
    renderer: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Give an overlay's objects, without mail and with it."""
    overlay, with_mail = request.param
    folder = DEPLOY
    if with_mail:
        folder = tmp_path_factory.mktemp("mail") / "kubernetes"
        shutil.copytree(DEPLOY, folder)
        with (folder / "overlays" / overlay / "kustomization.yaml").open("a") as file:
            file.write(MAIL)
    done = render(renderer, folder / "overlays" / overlay)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def of(objects: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    """Return the objects of some kinds, by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] in kinds}


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the pods' templates, by the workload's name."""
    found = of(objects, "StatefulSet", "Deployment", "Job")
    return {name: each["spec"]["template"] for name, each in found.items()}


def long_running(objects: list[dict[str, Any]]) -> set[str]:
    """Return what runs until it is stopped; mail only where it was taken in."""
    return LONG_RUNNING | pods(objects).keys() & {"mail"}


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Tell whether a label selector selects."""
    matches = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return matches and all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))


def environment(objects: list[dict[str, Any]], container: dict[str, Any]) -> dict[str, str]:
    """Return the variables that a container has, without what comes from secrets."""
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            found |= of(objects, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    named = {each["name"]: each.get("value", "stream-0") for each in container.get("env", [])}
    return found | named


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("stream.yaml", "replicas: 2", "replica: 2", "unknown field"),
        ("stream.yaml", "periodSeconds: 10", "periodSeconds: ten", "cannot unmarshal string"),
        ("network.yaml", "endPort: 9094", "endport: 9094", "unknown field"),
    ],
)
def test_a_mistake_is_found(renderer: Path, tmp_path: Path, file: str, old: str, new: str, says: str) -> None:
    """A field that there is not, one of another type, one in another case."""
    shutil.copytree(DEPLOY / "base", tmp_path / "base")
    text = (tmp_path / "base" / file).read_text()
    assert old in text
    (tmp_path / "base" / file).write_text(text.replace(old, new, 1))
    done = render(renderer, tmp_path / "base")
    assert done.returncode == 1
    assert says in done.stderr


def test_everything_that_runs_is_there_and_confined(objects: list[dict[str, Any]]) -> None:
    """Each component and what is before it: not root, read-only, bounded, without a token of the cluster's."""
    templates = pods(objects)
    assert templates.keys() == long_running(objects) | ONCE
    for template in templates.values():
        pod = template["spec"]
        (container,) = pod["containers"]
        assert container["args"][0] in COMMANDS
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        confined = container["securityContext"]
        assert (confined["allowPrivilegeEscalation"], confined["readOnlyRootFilesystem"]) == (False, True)
        assert confined["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_components_are_asked_how_they_are(objects: list[dict[str, Any]]) -> None:
    """At the port where each answers: live is what starts it afresh, ready is what an update waits for.

    Web is asked for the latter as it starts: once it was ready it keeps its requests, since links work without Kafka.
    """
    for name in long_running(objects):
        (container,) = pods(objects)[name]["spec"]["containers"]
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        given = environment(objects, container)
        answers_at = int(given["REFERRALS_WEB_PORT" if name == "web" else "REFERRALS_MONITORING_PORT"])
        at_start, later = ("/health/ready", LIVE) if name == "web" else (LIVE, "/health/ready")
        paths = {"startupProbe": at_start, "livenessProbe": LIVE, "readinessProbe": later}
        for probe, path in paths.items():
            asked = container[probe]["httpGet"]
            assert (asked["path"], ports[asked["port"]]) == (path, answers_at), (name, probe)
            assert container[probe]["timeoutSeconds"] > 1, "unless it is said it is one: a busy node does not keep it"


def test_settings_are_settings(objects: list[dict[str, Any]]) -> None:
    """Each variable is one, together they are right, and none of them is a secret."""
    for name, template in pods(objects).items():
        (container,) = template["spec"]["containers"]
        given = environment(objects, container)
        fields = {variable.removeprefix(ENVIRONMENT_PREFIX).lower(): value for variable, value in given.items()}
        assert fields.keys() <= Settings.model_fields.keys()
        assert not fields.keys() & SECRETS
        if fields.get("security_protocol") == "SASL_SSL":
            fields |= {"ssl_ca_location": __file__}
            if name not in {"migrations", "mail"}:  # who asks no Kafka has no user there
                fields |= {"sasl_username": name, "sasl_password": "-"}
        settings = load_settings(**fields)
        if name not in {"migrations", "mail"}:
            settings.kafka_client_config()
    assert not of(objects, "Secret")


def test_a_worker_keeps_its_name(objects: list[dict[str, Any]]) -> None:
    """Static membership: the instance id is the pod's name, which its successor has too."""
    stream = of(objects, "StatefulSet")["stream"]
    (container,) = stream["spec"]["template"]["spec"]["containers"]
    (named,) = (each for each in container["env"] if each["name"] == "REFERRALS_GROUP_INSTANCE_ID")
    assert named["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert stream["spec"]["serviceName"] in of(objects, "Service")


def test_what_selects_pods_selects_some(objects: list[dict[str, Any]]) -> None:
    """Services, budgets, policies and spreads mean pods that there are, and ports that these have."""
    templates = pods(objects)

    def meant(selector: dict[str, Any]) -> set[str]:
        return {name for name, each in templates.items() if selected(selector, each["metadata"]["labels"])}

    for name, service in of(objects, "Service").items():
        (component,) = meant({"matchLabels": service["spec"]["selector"]})
        ports = {each["name"] for each in templates[component]["spec"]["containers"][0]["ports"]}
        assert {each["targetPort"] for each in service["spec"]["ports"]} <= ports, name
    budgets = of(objects, "PodDisruptionBudget")
    assert {name: meant(each["spec"]["selector"]) for name, each in budgets.items()} == {
        n: {n} for n in long_running(objects)
    }
    for policy in of(objects, "NetworkPolicy").values():
        assert meant(policy["spec"]["podSelector"])
    for name in long_running(objects):
        for spread in templates[name]["spec"]["topologySpreadConstraints"]:
            assert meant(spread["labelSelector"]) == {name}


def test_nothing_is_reached_that_is_not_named(objects: list[dict[str, Any]]) -> None:
    """One policy shuts every pod, in both directions; the others open what is needed."""
    policies = of(objects, "NetworkPolicy")
    shut = policies["nothing-else"]["spec"]
    assert set(shut["policyTypes"]) == {"Ingress", "Egress"}
    assert not shut.get("ingress")
    assert not shut.get("egress")
    for template in pods(objects).values():
        assert selected(shut["podSelector"], template["metadata"]["labels"])


def test_production_proves_who_it_is(renderer: Path) -> None:
    """Its Kafka is asked by TLS and password, and every pod has the authorities that vouch for it."""
    objects = json.loads(render(renderer, DEPLOY / "overlays/production").stdout)
    for template in pods(objects).values():
        (container,) = template["spec"]["containers"]
        given = environment(objects, container)
        assert given["REFERRALS_SECURITY_PROTOCOL"] == "SASL_SSL"
        folder = str(Path(given["REFERRALS_SSL_CA_LOCATION"]).parent)
        (volume,) = (each["name"] for each in container["volumeMounts"] if each["mountPath"] == folder)
        assert volume in {each["name"] for each in template["spec"]["volumes"]}
        assert "secretRef" in container["envFrom"][1]


def test_mail_is_taken_in_as_the_page_says(objects: list[dict[str, Any]]) -> None:
    """By one line of an overlay; it reaches a mail server, and has what Postgres lets it do in a secret of its own."""
    assert MAIL.strip() in (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    if "mail" not in pods(objects):
        assert "mail-to-its-server" not in of(objects, "NetworkPolicy")
        return
    (container,) = pods(objects)["mail"]["spec"]["containers"]
    assert container["envFrom"][1] == {"secretRef": {"name": "mail"}}
    (egress,) = of(objects, "NetworkPolicy")["mail-to-its-server"]["spec"]["egress"]
    assert {each["port"] for each in egress["ports"]} == {587, 465, 25}


def admit(admitter: Path, objects: str) -> dict[str, Any]:
    """Return what an API server says of objects, and what it would store."""
    done = subprocess.run([admitter], input=objects, check=False, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == bool(told["faults"]), done.stderr
    return told


def keeps(given: Any, stored: Any) -> bool:  # noqa: ANN401  JSON
    """Tell whether all that was said is stored, beside what was filled in."""
    if isinstance(given, dict):
        return all(
            key in stored and keeps(value, stored[key]) for key, value in given.items() if value not in ({}, None)
        )
    if isinstance(given, list):
        return len(given) == len(stored) and all(map(keeps, given, stored))
    return bool(given == stored)


def test_an_api_server_takes_them(admitter: Path, objects: list[dict[str, Any]]) -> None:
    """Without a warning, by the standard `restricted` that their namespace is held to, and drops nothing."""
    told = admit(admitter, json.dumps(objects))
    assert (told["faults"], told["warnings"]) == ([], [])
    for given, stored in zip(objects, told["stored"], strict=True):
        asked = {key: value for key, value in given.items() if key != "status"}
        assert keeps(asked, stored), (asked, stored)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            '"allowPrivilegeEscalation": false',
            '"allowPrivilegeEscalation": true',
            "restricted: allowPrivil",
        ),
        ('"name": "monitoring"', '"name": "monitoring-of-all"', "must be no more than 15"),
        ('"whenUnsatisfiable": "ScheduleAnyway"', '"whenUnsatisfiable": "Anyhow"', "Unsupported value"),
        ('"endPort": 9094', '"endPort": 9000', "must be greater than or equal to `port`"),
    ],
)
def test_what_an_api_server_refuses_is_found(
    admitter: Path, objects: list[dict[str, Any]], old: str, new: str, says: str
) -> None:
    """What each type allows, and the server does not."""
    text = json.dumps(objects)
    assert old in text
    assert any(says in fault for fault in admit(admitter, text.replace(old, new))["faults"])
