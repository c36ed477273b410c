"""Settings: defaults, reading from the environment, and errors that name the variable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from local.installation.starting import as_environment
from process.settings import Settings, SettingsError, load_settings, misspelt, variable_of


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_of(field), raising=False)


def test_thresholds_default_to_the_contract() -> None:
    """Without a setting the thresholds are those of the contract."""
    assert load_settings().thresholds == (1, 5, 10, 25)


def test_thresholds_are_read_as_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds are whole numbers separated by commas."""
    monkeypatch.setenv("REFERRALS_THRESHOLDS", "2, 4")
    assert load_settings().thresholds == (2, 4)


@pytest.mark.parametrize(
    ("prefix", "name"),
    [(None, "referral-streams"), ("referrals.", "referral-streams"), ("staging.", "staging.stream"), ("", "stream")],
)
def test_each_prefix_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch, prefix: str | None, name: str) -> None:
    """The default prefix keeps the name that it always had; one that is given goes before."""
    given = {} if prefix is None else {"topic_prefix": prefix}
    assert load_settings(**given).app_id == name
    assert not load_settings(**given).is_given("app_id")
    monkeypatch.setenv("REFERRALS_APP_ID", "mine")
    assert load_settings(**given).app_id == "mine"
    assert load_settings(**given).is_given("app_id")


def test_a_prefix_from_the_environment_names_the_app_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a component gets it; an empty name, as compose files pass it on, is none."""
    monkeypatch.setenv("REFERRALS_TOPIC_PREFIX", "staging.")
    monkeypatch.setenv("REFERRALS_APP_ID", "")
    assert load_settings().app_id == "staging.stream"


def test_addresses_that_people_are_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of this server, or of another; a host of other letters as it was registered."""
    monkeypatch.setenv("REFERRALS_NEUTRAL_URL", "/welcome?x=1")
    monkeypatch.setenv("REFERRALS_PUBLIC_URL", "https://straße.example/verving")
    settings = load_settings()
    assert (settings.neutral_url, settings.public_url) == ("/welcome?x=1", "https://xn--strae-oqa.example/verving")
    monkeypatch.setenv("REFERRALS_NEUTRAL_URL", "https://example.org/a b?q=ø#z")
    assert load_settings().neutral_url == "https://example.org/a%20b?q=%C3%B8#z"


@pytest.mark.parametrize("url", ["https://id.example/keys", "http://127.0.0.1:1/keys", "http://[::1]/keys"])
def test_where_keys_may_come_from(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """From anywhere by https, and from this machine."""
    monkeypatch.setenv("REFERRALS_JWT_JWKS_URL", url)
    assert load_settings().jwt_jwks_url == url


def test_channels_are_read_as_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words separated by commas; more than a mentor's row has places for are refused."""
    assert "whatsapp" in load_settings().channels
    assert len(load_settings().channels) == 15
    monkeypatch.setenv("REFERRALS_CHANNELS", "church, door_to-door ,")
    assert load_settings().channels == ("church", "door_to-door")


def test_a_standard_s_variable_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's is read, handed to components, and named where it is wrong."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    settings = load_settings()
    assert settings.otel_exporter_otlp_endpoint == "http://collector:4318"
    assert as_environment(settings) == {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    monkeypatch.setenv("REFERRALS_OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318")
    assert load_settings().otel_exporter_otlp_traces_endpoint is None
    assert misspelt(["OTEL_EXPORTER_OTLP_ENDPOINT", "REFERRALS_WEB_PORT"]) == []
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT: is no address of a collector \("):
        load_settings()


def test_what_our_own_files_set_is_known() -> None:
    """CI, containers and manifests: each component would say of another variable that it changes nothing."""
    root = Path(__file__).resolve().parents[2]
    files = [root / ".ci" / "run", root / "Dockerfile", *root.glob("docker-compose*.yml")]
    files += [*(root / "deploy").rglob("*.yaml"), *(root / "deploy").rglob("*.env")]
    named = {name for file in files for name in re.findall(r"\bREFERRALS_[A-Z_]+\b(?!\*)", file.read_text())}
    assert len(named) > 20
    assert misspelt(named) == []


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable without a value, as compose files pass it on, leaves the default."""
    monkeypatch.setenv("REFERRALS_PARTITIONS", "")
    settings = load_settings()
    assert settings.partitions == 12
    assert not settings.is_given("partitions")


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("REFERRALS_THRESHOLDS", "1,x", "not a list of whole numbers"),
        ("REFERRALS_THRESHOLDS", "5,1", "ascending"),
        ("REFERRALS_THRESHOLDS", "1,2147483648", "2,147,483,647"),
        ("REFERRALS_THRESHOLDS", "0", "positive"),
        ("REFERRALS_PARTITIONS", "many", "valid integer"),
        ("REFERRALS_BOOTSTRAP_SERVERS", "localhost", "give host:port"),
        ("REFERRALS_BOOTSTRAP_SERVERS", "localhost:9092,:1", "give host:port"),
        ("REFERRALS_DATABASE_URL", "mysql://u:hidden@h/d", "give postgresql://"),
        ("REFERRALS_TOPIC_PREFIX", "a b", "may hold only"),
        ("REFERRALS_RECONCILE_AT", "at night", "not what crontab understands"),
        ("REFERRALS_RECONCILE_AT", "0 3 30 2 *", "not what crontab understands"),
        ("REFERRALS_PUBLIC_URL", "javascript:alert(1)", "is no address that people can be sent to"),
        ("REFERRALS_PUBLIC_URL", "refer.example", "is no address that people can be sent to"),
        ("REFERRALS_PUBLIC_URL", "https://refer.example/?x=1", "no query and no fragment"),
        ("REFERRALS_NEUTRAL_URL", "javascript:alert(1)", "is no address that people can be sent to"),
        ("REFERRALS_NEUTRAL_URL", "data:text/html,x", "is no address that people can be sent to"),
        ("REFERRALS_NEUTRAL_URL", "//evil.example", "is no address that people can be sent to"),
        ("REFERRALS_NEUTRAL_URL", "/\\evil.example", "is no address that people can be sent to"),
        ("REFERRALS_JWT_JWKS_URL", "http://id.example/keys", "come by https, or by http from this machine"),
        ("REFERRALS_JWT_JWKS_URL", "file:///etc/keys", "come by https, or by http from this machine"),
        ("REFERRALS_JWT_JWKS_URL", "https://", "come by https, or by http from this machine"),
        ("REFERRALS_CHANNELS", "sms,Two Words", "give at most 15 different words"),
        ("REFERRALS_CHANNELS", "sms,sms", "give at most 15 different words"),
        ("REFERRALS_CHANNELS", ",".join(f"c{number}" for number in range(16)), "give at most 15 different words"),
        ("REFERRALS_LANDING_PARAMETERS", "some", "'all', 'channel' or 'none'"),
        ("REFERRALS_LOG_FORMAT", "xml", "'auto', 'json' or 'text'"),
        ("REFERRALS_SECURITY_PROTOCOL", "SASL_SSL", "needs REFERRALS_SASL_MECHANISM"),
    ],
)
def test_an_error_names_variable_and_fault(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, fault: str
) -> None:
    """A value that cannot be used is answered with the variable's name and what to give."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert variable in str(error.value)
    assert fault in str(error.value)
    assert "hidden" not in str(error.value)
    assert variable == "REFERRALS_APP_ID" or "REFERRALS_APP_ID" not in str(error.value), "nobody has set it"


@pytest.mark.parametrize("address", ["127.0.0.1:9092", "localhost:9092", "[::1]:9092", "127.0.0.9:1,127.0.0.1:2"])
def test_plaintext_is_for_loopback(address: str) -> None:
    """On this machine plaintext needs no word."""
    assert load_settings(bootstrap_servers=address).security_protocol == "PLAINTEXT"


@pytest.mark.parametrize("address", ["kafka:9092", "10.0.0.1:9092", "127.0.0.1:9092,kafka:9092"])
def test_plaintext_to_elsewhere_must_be_asked_for(address: str) -> None:
    """To another machine plaintext is used only where the protocol was set."""
    with pytest.raises(SettingsError, match="REFERRALS_SECURITY_PROTOCOL"):
        load_settings(bootstrap_servers=address)
    assert load_settings(bootstrap_servers=address, security_protocol="PLAINTEXT").bootstrap_servers == address


def test_kafka_clients_get_credentials_and_check_the_host() -> None:
    """With SASL_SSL every client gets the credentials, and checks that the certificate names the host."""
    settings = load_settings(
        bootstrap_servers="kafka:9093",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="app",
        sasl_password="secret",  # noqa: S106  a test's
        ssl_ca_location=__file__,
    )
    assert settings.kafka_client_config() == {
        "bootstrap.servers": "kafka:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "app",
        "sasl.password": "secret",
        "ssl.ca.location": __file__,
        "ssl.endpoint.identification.algorithm": "https",
    }


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "needs REFERRALS_SASL_USERNAME and"),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_client_id": "me"},
            "needs REFERRALS_SASL_OAUTH_TOKEN_URL and REFERRALS_SASL_OAUTH_CLIENT_SECRET",
        ),
        ({"sasl_mechanism": "PLAIN"}, "has no effect with REFERRALS_SECURITY_PROTOCOL=PLAINTEXT: set it to SASL_SSL"),
        ({"ssl_ca_location": __file__}, "REFERRALS_SSL_CA_LOCATION has no effect with"),
        ({"security_protocol": "SSL", "ssl_ca_location": "/no/such.pem"}, "there is no file /no/such.pem"),
        ({"security_protocol": "SSL", "ssl_certificate_location": __file__}, "REFERRALS_SSL_KEY_LOCATION go together"),
        ({"sasl_oauth_ca_location": "/no/such.pem"}, "REFERRALS_SASL_OAUTH_CA_LOCATION: there is no file /no/such.pem"),
        ({"sasl_oauth_token_url": "http://id.example/token"}, "come by https, or by http from this machine"),
    ],
)
def test_what_lacks_to_be_let_in_is_named(given: dict[str, str], fault: str) -> None:
    """And so is what has no effect: somebody thinks that it has."""
    with pytest.raises(SettingsError) as error:
        load_settings(**given).kafka_client_config()
    assert fault in str(error.value)


def test_who_asks_no_kafka_needs_no_user_there() -> None:
    """`mail` and `db migrate` have the settings that all have in common; on Kubernetes from one ConfigMap."""
    assert load_settings(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512").sasl_username is None


def test_clients_show_a_certificate_or_a_token(tmp_path: Path) -> None:
    """In librdkafka's words."""
    certificate, key = tmp_path / "me.pem", tmp_path / "me.key"
    for file in (certificate, key):
        file.touch()
    secret = "secret"  # noqa: S105 - a test's
    mutual = load_settings(
        security_protocol="SSL", ssl_certificate_location=certificate, ssl_key_location=key, ssl_key_password=secret
    )
    assert mutual.kafka_client_config().items() >= {
        ("ssl.certificate.location", str(certificate)),
        ("ssl.key.location", str(key)),
        ("ssl.key.password", "secret"),
    }
    given: dict[str, Any] = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_url": "https://id.example/token",
        "sasl_oauth_client_id": "me",
        "sasl_oauth_client_secret": secret,
        "sasl_oauth_scope": "kafka",
    }
    tokens = load_settings(**given)
    assert tokens.kafka_client_config().items() >= {
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.token.endpoint.url", "https://id.example/token"),
        ("sasl.oauthbearer.client.secret", "secret"),
        ("sasl.oauthbearer.scope", "kafka"),
    }
    own = load_settings(**given, sasl_oauth_ca_location=certificate).kafka_client_config()
    assert own["https.ca.location"] == str(certificate)
    believed = tokens.kafka_client_config().get("https.ca.location")
    assert believed is None or Path(believed).is_file()  # of this machine: librdkafka's own idea is another one's


def test_secrets_are_not_shown() -> None:
    """Neither the password of Kafka nor the database's address, which may hold one, is in the printed settings."""
    settings = load_settings(database_url="postgresql://u:hidden@127.0.0.1/d", sasl_password="hidden")  # noqa: S106
    assert "hidden" not in repr(settings)
