"""Tokens: what they say, for how long, and what makes them impossible."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import jwt
import pytest
from click.testing import CliRunner, Result

from commands.token import command
from edges.registry.tokens import ROLES, Role, make_token
from edges.web.identity import TokenVerifier
from process.settings import Settings, SettingsError, load_settings

ORG = UUID("0a000000-0000-4000-8000-000000000001")
SUBJECT = UUID("0b000000-0000-4000-8000-000000000001")
SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105 - it guards nothing


def settings_with(secret: str | None = SECRET, **given: str) -> Settings:
    """Return settings with that secret."""
    return load_settings(jwt_secret=secret, **given)


def test_claims() -> None:
    """Every claim that the HTTP side asks for, and no other; HS256."""
    settings = settings_with(jwt_issuer="us", jwt_audience="them")
    token = make_token(settings, org_id=ORG, subject=SUBJECT, role="coordinator", good_for=timedelta(minutes=5))
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], issuer="us", audience="them")
    assert claims.pop("exp") - claims.pop("iat") == 300
    assert claims == {"sub": str(SUBJECT), "org": str(ORG), "role": "coordinator", "iss": "us", "aud": "them"}


@pytest.mark.parametrize("role", ROLES)
async def test_the_http_side_takes_them(role: Role) -> None:
    """What is made here is read there."""
    settings = settings_with()
    identity = await TokenVerifier(settings).verify(make_token(settings, org_id=ORG, subject=SUBJECT, role=role))
    assert (identity.org_id, identity.subject, identity.role) == (str(ORG), str(SUBJECT), role)


@pytest.mark.parametrize(
    ("secret", "fault"), [(None, "REFERRALS_JWT_SECRET: not set"), (SECRET[:31], "REFERRALS_JWT_SECRET has 31 bytes")]
)
def test_no_secret_or_a_short_one_is_said_with_the_remedy(secret: str | None, fault: str) -> None:
    """And the short one is not quoted."""
    with pytest.raises(SettingsError, match=f"{fault}.*openssl rand -hex 32") as caught:
        make_token(settings_with(secret), org_id=ORG, subject=SUBJECT, role="mentor")
    assert SECRET[:31] not in str(caught.value)


def run_token(ttl: str) -> Result:
    """Run `referrals token` with a time to live."""
    arguments = [f"--org={ORG}", "--role=mentor", f"--subject={SUBJECT}", f"--ttl={ttl}"]
    return CliRunner().invoke(command, arguments, env={"REFERRALS_JWT_SECRET": SECRET})


@pytest.mark.parametrize(("ttl", "seconds"), [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800)])
def test_the_command_takes_a_time_with_its_unit(ttl: str, seconds: int) -> None:
    """And prints the token alone."""
    claims = jwt.decode(run_token(ttl).stdout.strip(), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == seconds


@pytest.mark.parametrize("ttl", ["", "12", "0s", "-1h", "1y", "1.5h", "9" * 20 + "d"])
def test_the_command_refuses_other_times(ttl: str) -> None:
    """Bad usage, with examples of good ones."""
    done = run_token(ttl)
    assert done.exit_code == 2
    assert "is no time" in done.stderr


def test_a_screen_is_nobody() -> None:
    """It needs no subject; people do."""
    env = {"REFERRALS_JWT_SECRET": SECRET}
    done = CliRunner().invoke(command, [f"--org={ORG}", "--role=onboarding"], env=env)
    claims = jwt.decode(done.stdout.strip(), options={"verify_signature": False})
    assert (claims["role"], claims["org"], claims["sub"]) == ("onboarding", str(ORG), str(ORG))
    refused = CliRunner().invoke(command, [f"--org={ORG}", "--role=mentor"], env=env)
    assert refused.exit_code == 2
    assert "--subject" in refused.stderr
