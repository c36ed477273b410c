"""Organisation, role and subject out of what providers say: Entra's claims, Keycloak's, Auth0's, and odd ones."""

from __future__ import annotations

from typing import Any, Final

import pytest

from edges.web.sign_in.claims import Claims, ClaimsMapping, NotKnownHere, Person
from process.settings import load_settings

ALDER: Final = "6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6"
BIRCH: Final = "0b6a2f4c-7d1e-4f3a-9c8b-5e4d3c2b1a09"
MENTOR: Final = "0d9e8f7a-6b5c-4d3e-9f2a-1b0c9d8e7f6a"
GROUP: Final = "11111111-2222-4333-8444-555555555555"

ENTRA: Final = {
    "oidc_org_claim": "tid",
    "oidc_organisations": f"aaaabbbb-0000-4ccc-8ddd-1111eeee2222={ALDER}",
    "oidc_role_claim": "roles",
    "oidc_roles": "Referrals.Admin=org_admin,Referrals.Coordinator=coordinator",
}
ENTRA_SAYS: Final = {
    "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    "tid": "aaaabbbb-0000-4ccc-8ddd-1111eeee2222",
    "roles": ["Referrals.Coordinator"],
}
KEYCLOAK: Final = {
    "oidc_org_claim": "groups",
    "oidc_organisations": f"/orgs/alder={ALDER},/orgs/birch={BIRCH}",
    "oidc_role_claim": "realm_access.roles",
    "oidc_roles": "coordinator=coordinator,admin=org_admin,mentor=mentor",
}
KEYCLOAK_SAYS: Final = {
    "sub": "f:8c1b:kari",
    "groups": ["/orgs/birch", "/staff"],
    "realm_access": {"roles": ["offline_access", "admin", "coordinator"]},
}
URLS: Final = {"oidc_org_claim": "https://example.org/org", "oidc_role_claim": "https://example.org/role"}

PEOPLE: Final[list[tuple[dict[str, Any], Claims, Person]]] = [
    (ENTRA, ENTRA_SAYS, Person(ALDER, ENTRA_SAYS["sub"], "coordinator")),  # type: ignore[arg-type]
    (KEYCLOAK, KEYCLOAK_SAYS, Person(BIRCH, "f:8c1b:kari", "org_admin")),
    (
        URLS,
        {"sub": "auth0|1", "https://example.org/org": ALDER.upper(), "https://example.org/role": "coordinator"},
        Person(ALDER, "auth0|1", "coordinator"),
    ),
    ({}, {"sub": "1", "org": ALDER, "role": ["coordinator", "mentor"]}, Person(ALDER, "1", "coordinator")),
    ({}, {"sub": "1", "org": [ALDER, ALDER.upper()], "role": "org_admin"}, Person(ALDER, "1", "org_admin")),
    ({}, {"sub": "x", "org": ALDER, "role": "mentor", "mentor_id": MENTOR.upper()}, Person(ALDER, MENTOR, "mentor")),
    ({"oidc_organisations": f"*={ALDER}"}, {"sub": "1", "role": "coordinator"}, Person(ALDER, "1", "coordinator")),
    (
        {"oidc_organisations": f"*={ALDER},b={BIRCH}", "oidc_roles": "boss=org_admin,*=coordinator"},
        {"sub": "1", "org": "b", "role": "caretaker"},
        Person(BIRCH, "1", "coordinator"),
    ),
    # Keycloak's organisations: an object with their names.
    (
        {"oidc_org_claim": "organization", "oidc_organisations": f"alder={ALDER}"},
        {"sub": "1", "organization": {"alder": {"id": "x"}}, "role": "coordinator"},
        Person(ALDER, "1", "coordinator"),
    ),
    # A group's id is a UUID too, and no organisation's unless the settings say so.
    (
        {"oidc_org_claim": "groups", "oidc_organisations": f"{GROUP}={ALDER}"},
        {"sub": "1", "groups": [BIRCH, GROUP], "role": "coordinator"},
        Person(ALDER, "1", "coordinator"),
    ),
]


@pytest.mark.parametrize(("settings", "claims", "person"), PEOPLE)
def test_who_somebody_is(settings: dict[str, Any], claims: Claims, person: Person) -> None:
    """By the claims and words that the settings name."""
    assert ClaimsMapping(load_settings(**settings)).person(claims) == person


NOBODIES: Final[list[tuple[dict[str, Any], Claims, str]]] = [
    ({}, {"sub": "1", "role": "coordinator"}, "REFERRALS_OIDC_ORG_CLAIM.* has 0 words and names none of ours"),
    ({}, {"sub": "1", "org": "alder", "role": "coordinator"}, "has 1 word and names none of ours"),
    ({}, {"sub": "1", "org": [ALDER, BIRCH], "role": "coordinator"}, "names more than one of ours"),
    ({}, {"sub": "1", "org": 1, "role": "coordinator"}, "REFERRALS_OIDC_ORG_CLAIM"),
    ({}, {"sub": "1", "org": ALDER}, "REFERRALS_OIDC_ROLE_CLAIM"),
    ({}, {"sub": "1", "org": ALDER, "role": "onboarding"}, "REFERRALS_OIDC_ROLE_CLAIM"),
    ({}, {"sub": "1", "org": ALDER, "role": "mentor"}, "REFERRALS_OIDC_MENTOR_CLAIM"),
    ({}, {"sub": MENTOR, "org": ALDER, "role": "mentor", "mentor_id": "kari"}, "REFERRALS_OIDC_MENTOR_CLAIM"),
    ({}, {"sub": "", "org": ALDER, "role": "coordinator"}, "sub"),
    ({}, {"sub": "x" * 256, "org": ALDER, "role": "coordinator"}, "sub"),
    ({}, {"sub": "a\nb", "org": ALDER, "role": "coordinator"}, "sub"),
    # Where words are explained, our own count for nothing: somebody may be able to choose them.
    (KEYCLOAK, KEYCLOAK_SAYS | {"groups": [ALDER]}, "names none of ours"),
    (ENTRA, ENTRA_SAYS | {"roles": ["org_admin"]}, "REFERRALS_OIDC_ROLES"),
    (KEYCLOAK, KEYCLOAK_SAYS | {"realm_access": "admin"}, "REFERRALS_OIDC_ROLE_CLAIM"),
]


@pytest.mark.parametrize(("settings", "claims", "said"), NOBODIES)
def test_who_is_nobody_here(settings: dict[str, Any], claims: Claims, said: str) -> None:
    """What is missing or cannot be told is said by claim and setting, without a value."""
    with pytest.raises(NotKnownHere, match=said) as refused:
        ClaimsMapping(load_settings(**settings)).person(claims)
    assert ALDER not in str(refused.value)
