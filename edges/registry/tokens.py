"""Bearer tokens of the HTTP side, signed with the installation's own secret (HS256).

Where an identity provider signs tokens (`jwt_jwks_url`), it makes them; these are for installations without one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args

import jwt

from process.settings import SettingsError

if TYPE_CHECKING:
    from uuid import UUID

    from process.settings import Settings

Role = Literal["mentor", "coordinator", "org_admin", "onboarding"]
"""`onboarding` is no person: the screen on which somebody registers. It may say that he is coming, and nothing else."""
ROLES: Final[tuple[Role, ...]] = get_args(Role)

GOOD_FOR: Final = timedelta(hours=12)
SECRET_BYTES_MIN: Final = 32
"""A shorter key is easier to guess than the signature (RFC 7518, 3.2)."""

_REMEDY: Final = "give at least 32 bytes, made for example with: openssl rand -hex 32"


def make_token(settings: Settings, *, org_id: UUID, subject: UUID, role: Role, good_for: timedelta = GOOD_FOR) -> str:
    """Return a token for somebody of an organisation; raise SettingsError where none can be signed.

    A mentor's subject is his mentor id: that is what he may see.
    """
    if settings.jwt_secret is None:
        raise SettingsError(
            f"REFERRALS_JWT_SECRET: not set, so no token can be signed; {_REMEDY}, and give `referrals web` the same. "
            f"Beside `referrals up` its keys.json is used (none in {settings.data_dir})"
        )
    secret = settings.jwt_secret.get_secret_value().encode()
    if len(secret) < SECRET_BYTES_MIN:
        raise SettingsError(f"REFERRALS_JWT_SECRET has {len(secret)} bytes; {_REMEDY}")
    now = datetime.now(UTC)
    claims = {
        "sub": str(subject),
        "org": str(org_id),
        "role": role,
        "iat": now,
        "exp": now + good_for,
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
    }
    return jwt.encode(claims, secret, algorithm="HS256")
