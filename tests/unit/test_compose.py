"""docker-compose.yml and what secures it: who has which user and key, and which settings reach whom."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cryptography import x509

from deploy.secured import certificates, users
from operations.acls import Component

ROOT: Final = Path(__file__).resolve().parents[2]
RUN_ON_KAFKA: Final = {"stream", "badges", "counts", "web"}
"""Components that run until they are stopped and speak with Kafka."""


class _Reader(yaml.SafeLoader):
    """Knows compose's tags."""


def _list(loader: _Reader, node: yaml.SequenceNode) -> list[Any]:
    return list(loader.construct_sequence(node))


_Reader.add_constructor("!override", _list)
_Reader.add_constructor("!reset", lambda _loader, _node: None)


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """Give docker-compose.yml's services."""
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])


@pytest.fixture(scope="module")
def secured() -> dict[str, Any]:
    """Give docker-compose.secured.yml's services."""
    return dict(yaml.load((ROOT / "docker-compose.secured.yml").read_text(), Loader=_Reader)["services"])  # noqa: S506


def test_every_command_of_ours_takes_the_settings_file(plain: dict[str, Any]) -> None:
    """A setting that docker-compose.yml does not name reaches all of them alike."""
    ours = {name: service for name, service in plain.items() if service["image"] == "referral-streams"}
    assert set(ours) == RUN_ON_KAFKA | {"mail", "topics", "migrations", "logins"}
    for name, service in ours.items():
        assert service["env_file"] == [{"path": "settings.env", "required": False}], name


@pytest.mark.parametrize(("file", "otherwise"), [("plain", "referrals"), ("secured", "")])
def test_each_component_has_a_login_of_its_own(file: str, otherwise: str, request: pytest.FixtureRequest) -> None:
    """By the name that `db roles apply` gives it, with the password that it is given; mail reads as pages do."""
    services = request.getfixturevalue(file)
    command = request.getfixturevalue("plain")["logins"]["command"]
    passwords = services["logins"]["environment"]
    for name in (*RUN_ON_KAFKA, "mail"):
        environment = services[name]["environment"]
        password = f"${{{name.upper()}_POSTGRES_PASSWORD:-{otherwise}}}"
        login = f"postgresql://${{REFERRALS_TOPIC_PREFIX:-referrals.}}{name}:{password}@postgres:5432/referrals"
        assert environment["REFERRALS_DATABASE_URL"].removesuffix("?sslmode=disable") == login
        assert {f"--component={name}", f"--password-from={name}={name.upper()}_PASSWORD"} <= set(command)
        assert passwords[f"{name.upper()}_PASSWORD"] == password
    as_pages_do = services["web"]["environment"]["REFERRALS_DATABASE_URL"]
    assert services["mail"]["environment"]["REFERRALS_WEB_DATABASE_URL"] == as_pages_do


def test_each_component_comes_as_its_own_user(secured: dict[str, Any]) -> None:
    """By the name that `acls apply` gives rights to, with its own password."""
    assert set(users.USERS) == RUN_ON_KAFKA <= {each.value for each in Component}
    for name in RUN_ON_KAFKA:
        environment = secured[name]["environment"]
        assert environment["REFERRALS_SASL_USERNAME"] == f"${{REFERRALS_TOPIC_PREFIX:-referrals.}}{name}"
        assert environment["REFERRALS_SASL_PASSWORD"] == f"${{KAFKA_{name.upper()}_PASSWORD:-}}"
        assert environment["REFERRALS_SECURITY_PROTOCOL"] == "SASL_SSL"


def test_no_component_has_the_operators_key_or_the_authoritys(secured: dict[str, Any]) -> None:
    """They are in volumes that only whoever sets it up is given."""
    for name in (*RUN_ON_KAFKA, "mail"):
        assert secured[name]["volumes"] == ["certificates:/certificates:ro"]
    holders = {name for name, each in secured.items() if each and "authority:/authority" in each.get("volumes", ())}
    assert holders == {"certificates"}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let certificates be made in a folder of the test's."""
    for name in ("PLACE", "OPERATOR", "AUTHORITY"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(certificates, name, tmp_path / name)
    monkeypatch.setattr("os.geteuid", lambda: 10001)  # who is not root gives files to nobody else
    return tmp_path


def test_certificates_are_made_once_and_name_their_hosts(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is the authority's, for the name that its address has; the key fits and is its user's alone."""
    certificates.main()
    made = capsys.readouterr().out
    for name in ("kafka", "kafka-2", "kafka-3", "postgres"):
        folder = places / "PLACE" / name
        found = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
        hosts = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert hosts.get_values_for_type(x509.DNSName) == [name, "localhost"]
        context = ssl.create_default_context(cafile=places / "PLACE" / "authority.pem")
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        assert (folder / "key.pem").stat().st_mode & 0o777 == 0o400
    assert (places / "OPERATOR" / "operator" / "key.pem").exists()
    assert made.count("made, good until") == 5
    before = (places / "PLACE" / "kafka" / "certificate.pem").read_bytes()
    certificates.main()
    assert capsys.readouterr().out.count("stands") == 5
    assert (places / "PLACE" / "kafka" / "certificate.pem").read_bytes() == before


def test_another_authority_makes_all_anew(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is left with a certificate that nobody vouches for."""
    certificates.main()
    (places / "AUTHORITY" / "authority.key").unlink()
    capsys.readouterr()
    certificates.main()
    assert capsys.readouterr().out.count("made, good until") == 5


def test_passwords_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anybody is asked."""
    for name in ("STREAM", "WEB"):
        monkeypatch.setenv(f"KAFKA_{name}_PASSWORD", "of-the-test")
    with pytest.raises(SystemExit, match=r"not set: KAFKA_BADGES_PASSWORD, KAFKA_COUNTS_PASSWORD; docs/containers\.md"):
        users.main()
