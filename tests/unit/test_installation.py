"""An installation's names and settings, as its processes get them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from local.installation.components import BADGES, COMPONENTS, STREAM, process_names
from local.installation.monitoring import choose_ports
from local.installation.starting import as_environment
from local.installation.web import choose_port, web_url
from local.parts import PartsError
from local.parts.ports import free_ports
from process.settings import Settings, load_settings


def test_one_of_a_kind_has_its_components_name_and_several_are_numbered() -> None:
    """Two stream workers are `stream-1` and `stream-2`."""
    assert process_names(["stream", "badges"]) == {"stream": "stream", "badges": "badges"}
    assert process_names(["stream", "stream", "counts"]) == {
        "stream-1": "stream",
        "stream-2": "stream",
        "counts": "counts",
    }


def test_the_groups_are_those_of_the_components() -> None:
    """The stream app's group is its app id, the sinks' begin with the topics' prefix."""
    settings = load_settings(app_id="mine", topic_prefix="mine.")
    assert [component.group_id(settings) for component in COMPONENTS.values()] == ["mine", "mine.badges", "mine.counts"]
    assert STREAM.group_id(settings) != BADGES.group_id(settings)


def test_the_http_side_takes_the_port_that_was_given_or_any_that_is_free(tmp_path: Path) -> None:
    """The usual port where it is free, another where it is not, which is said; one that was asked for is never another.

    The next start takes the one of the last, so that links which were shared go on working.
    """
    said: list[str] = []
    kept = tmp_path / "data" / "web-port"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PartsError, match=f"^the HTTP side .* 127.0.0.1:{port}: .* in use; .* REFERRALS_WEB_PORT "):
            choose_port(load_settings(web_port=port), kept, said.append)
        usual = load_settings().model_copy(update={"web_port": port})
        usual.model_fields_set.discard("web_port")
        assert said == []
        found = choose_port(usual, kept, said.append)
        assert found not in {0, port}
        assert said == [
            f"port {port} is taken by another program: the HTTP side is at port {found}; REFERRALS_WEB_PORT sets one"
        ]
    with pytest.raises(PartsError, match="REFERRALS_WEB_HOST"):
        choose_port(load_settings(web_host="192.0.2.1"), None, said.append)
    said.clear()
    assert choose_port(usual, kept, said.append) == found
    assert said == []
    assert choose_port(load_settings(web_port=port), None, said.append) == port
    assert choose_port(load_settings(web_port=0), None, said.append) != 0
    assert said == []


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:81"), ("0.0.0.0", "http://127.0.0.1:81"), ("::1", "http://[::1]:81")],  # noqa: S104  as given
)
def test_the_address_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    """Also where it listens everywhere, or by IPv6."""
    assert web_url(load_settings(web_host=host, web_port=81)) == url


def test_settings_reach_a_process_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables made of settings give the same settings again, passwords and lists included."""
    given = Settings(
        bootstrap_servers="kafka.example:9093",
        thresholds=(2, 7),
        session_timeout_s=9.5,
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="me",
        sasl_password=SecretStr("secret"),
    )
    for name, value in as_environment(given).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == given


def test_each_process_answers_at_a_port_of_its_own() -> None:
    """From the given one on, any free ones, or none at all."""
    processes = ["stream-1", "stream-2", "badges"]
    said: list[str] = []
    given = choose_ports(load_settings(monitoring_port=9500), processes, said.append)
    assert given == {"stream-1": 9500, "stream-2": 9501, "badges": 9502}
    for settings in (load_settings(), load_settings(monitoring_port=0)):
        chosen = choose_ports(settings, processes, said.append)
        assert [*chosen] == processes
        assert len(set(chosen.values())) == len(processes)
    assert choose_ports(load_settings(monitoring_port="off"), processes, said.append) == {}
    assert said == []


@pytest.mark.parametrize("who", ["another program", "the HTTP side"])
def test_a_process_whose_port_is_taken_has_another_that_is_known(who: str) -> None:
    """Else whoever answers there would pass for it. The line names process, port, reason and setting."""
    said: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        if who == "another program":
            taken.listen()
        else:  # it listens only later
            taken.close()
        web_port = 0 if who == "another program" else port
        chosen = choose_ports(load_settings(monitoring_port=port, web_port=web_port), ["mail"], said.append)
    assert chosen["mail"] != port
    assert len(said) == 1
    assert said[0].startswith(f"mail cannot answer /metrics and /health at 127.0.0.1:{port}: ")
    assert f"port {chosen['mail']}," in said[0]
    assert "REFERRALS_MONITORING_PORT" in said[0]


def test_ports_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the last port there is none; where none is free, or the host is another's, a line says so."""
    said: list[str] = []
    chosen = choose_ports(load_settings(monitoring_port=65_535), ["stream", "counts"], said.append)
    assert chosen["counts"] < 65_535
    assert "counts cannot answer /metrics and /health at 127.0.0.1:65536: there is no such port" in said[-1]
    assert choose_ports(load_settings(monitoring_host="192.0.2.1"), ["stream"], said.append) == {}
    assert "REFERRALS_MONITORING_HOST=192.0.2.1 cannot be listened at" in said[-1]
    monkeypatch.setattr("local.parts.ports.why_not", lambda *_: "full")
    with pytest.raises(PartsError, match=r"at 127\.0\.0\.1, 0 are free and 2 are needed"):
        free_ports(2)
