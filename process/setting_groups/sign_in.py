"""Who may ask: the organisations' secrets, the API's tokens, and how people sign in."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr, field_validator

from process.pairs import read_pairs
from process.setting_groups.kinds import DAY_S, SafeAddress


class SignIn(BaseModel):
    """Secrets, tokens and sign-in."""

    secret_keys: SecretStr | None = Field(
        None,
        description="Keys that encrypt the organisations' secrets: VERSION:BASE64 of 32 bytes, several by commas; "
        "the highest version encrypts.",
    )
    jwt_secret: SecretStr | None = Field(None, description="HS256 secret of the API's tokens, at least 32 bytes.")
    jwt_jwks_url: SafeAddress | None = Field(
        None, description="Keys of the API's tokens, where an identity provider signs them."
    )
    jwt_issuer: str = Field("referrals", description="What a token's `iss` must be.")
    jwt_audience: str = Field("referrals", description="What a token's `aud` must be.")

    sign_in_lasts_s: float = Field(
        7 * DAY_S,
        ge=300,
        le=90 * DAY_S,
        description="Seconds that somebody who signed in on a page stays so; a working week unless set otherwise.",
    )
    oidc_issuer: SafeAddress | None = Field(
        None, description="An OpenID provider that people sign in with: its `issuer`. docs/sign-in.md says how."
    )
    oidc_client_id: str | None = Field(None, description="What this installation is called there.")
    oidc_client_secret: SecretStr | None = Field(None, description="Its secret there, unless it has none (PKCE alone).")
    oidc_name: str | None = Field(
        None, description="What people call the provider, for the button; default: its host.", max_length=60
    )
    oidc_scopes: str = Field("openid", description="What it is asked for, with spaces between: openid profile.")
    oidc_org_claim: str = Field("org", description="The claim with the organisation; a path has dots.")
    oidc_organisations: str = Field(
        "", description="What its words mean: WORD=UUID,WORD=UUID; * is any other. Default: they are our UUIDs."
    )
    oidc_role_claim: str = Field("role", description="The claim with the role, or several; a path has dots.")
    oidc_roles: str = Field(
        "",
        description="What its words mean: WORD=coordinator,WORD=org_admin,WORD=mentor; * is any other. Default: they "
        "are our roles' names.",
    )
    oidc_mentor_claim: str = Field("mentor_id", description="The claim with a mentor's id, where mentors sign in.")

    @field_validator("oidc_scopes")
    @classmethod
    def _check_scopes(cls, value: str) -> str:
        if "openid" not in value.split():
            message = f"{value[:100]!r} does not ask for `openid`, and then the provider does not say who signs in"
            raise ValueError(message)
        return " ".join(value.split())

    @field_validator("oidc_organisations", "oidc_roles")
    @classmethod
    def _check_pairs(cls, value: str) -> str:
        read_pairs(value)
        return value
