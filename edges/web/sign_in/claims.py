"""Who somebody is here, out of what an identity provider says of him.

Providers name organisations and roles as they like: a tenant, groups by id or path, roles of an app in a list. So
settings name the claims, and say what their words mean: `REFERRALS_OIDC_ORGANISATIONS`, `REFERRALS_OIDC_ROLES`. Where
they do, no other word counts: a group's id looks like an organisation's. Where they do not, the words themselves are
organisations' ids and roles' names. `*` is whoever has no word that counts. Two organisations are none: nobody is let
in by a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from models.identifiers import canonical_uuid, is_uuid
from process.pairs import read_pairs
from process.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edges.registry.tokens import Role
    from process.settings import Settings

ROLES_OF_PEOPLE: Final[tuple[Role, ...]] = ("org_admin", "coordinator", "mentor")
"""Of several the first counts. `onboarding` is a screen and no person."""
SUBJECT_LENGTH_MAX: Final = 255
"""What OpenID Connect allows."""
ANYBODY: Final = "*"

Claims = dict[str, Any]


class NotKnownHere(Exception):  # noqa: N818  read as what is wrong
    """The provider knows him and we do not; the message names the claim and the setting, and never a value."""


class Person(NamedTuple):
    """Who signs in."""

    org_id: str
    subject: str
    role: Role


class ClaimsMapping:
    """What claims mean, by the settings."""

    def __init__(self, settings: Settings) -> None:
        """Take them; raise SettingsError where a word means no organisation, or no role."""
        self._org_claim = settings.oidc_org_claim
        self._organisations = read_pairs(settings.oidc_organisations)
        for word, meaning in self._organisations.items():
            if not is_uuid(meaning):
                raise SettingsError(
                    f"REFERRALS_OIDC_ORGANISATIONS: {word[:100]}={meaning[:100]!r}: an organisation is a UUID, as "
                    "`referrals orgs list` shows it"
                )
        self._role_claim = settings.oidc_role_claim
        self._roles = read_pairs(settings.oidc_roles)
        for word, meaning in self._roles.items():
            if meaning not in ROLES_OF_PEOPLE:
                raise SettingsError(
                    f"REFERRALS_OIDC_ROLES: {word[:100]}={meaning[:100]!r}: a role is one of "
                    f"{', '.join(ROLES_OF_PEOPLE)}"
                )
        self._mentor_claim = settings.oidc_mentor_claim

    def person(self, claims: Claims) -> Person:
        """Return who the claims are of; raise NotKnownHere."""
        subject = claims.get("sub")
        if not (isinstance(subject, str) and 1 <= len(subject) <= SUBJECT_LENGTH_MAX and subject.isprintable()):
            raise NotKnownHere("the claim sub is no text of 1 to 255 characters")
        org_id = self._organisation(claims)
        role = self._role(claims)
        if role != "mentor":
            return Person(org_id, subject, role)
        mentor_id = claim(claims, self._mentor_claim)
        if not (isinstance(mentor_id, str) and is_uuid(mentor_id)):
            raise NotKnownHere(
                f"a mentor signs in, and the claim {self._mentor_claim} (REFERRALS_OIDC_MENTOR_CLAIM) is no mentor id"
            )
        return Person(org_id, canonical_uuid(mentor_id), role)

    def _organisation(self, claims: Claims) -> str:
        named = words(claims, self._org_claim)
        found = {canonical_uuid(each) for each in _meant(named, self._organisations) if is_uuid(each)}
        if len(found) != 1:
            what = "none of ours" if not found else "more than one of ours"
            raise NotKnownHere(
                f"the claim {self._org_claim} (REFERRALS_OIDC_ORG_CLAIM) {_has(named)} and names {what}; "
                "REFERRALS_OIDC_ORGANISATIONS says which words are which organisations"
            )
        return found.pop()

    def _role(self, claims: Claims) -> Role:
        named = words(claims, self._role_claim)
        found = _meant(named, self._roles)
        role = next((role for role in ROLES_OF_PEOPLE if role in found), None)
        if role is None:
            raise NotKnownHere(
                f"the claim {self._role_claim} (REFERRALS_OIDC_ROLE_CLAIM) {_has(named)} and names no role; "
                "REFERRALS_OIDC_ROLES says which words are which roles"
            )
        return role


def claim(claims: Claims, name: str) -> Any:  # noqa: ANN401  a claim may be anything
    """Return a claim by its name, or by the path to it: `realm_access.roles`; None where there is none.

    A claim's own name may hold dots: `https://example.org/role`.
    """
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def words(claims: Claims, name: str) -> list[str]:
    """Return the words of a claim: one text, a list of texts, or the names of an object."""
    found = claim(claims, name)
    if isinstance(found, str):
        return [found]
    if isinstance(found, list | dict):
        return [word for word in found if isinstance(word, str)]
    return []


def _meant(named: list[str], meanings: Mapping[str, str]) -> set[str]:
    """Return what the words mean, what `*` means where none does; where nothing is explained, the words themselves."""
    if not meanings:
        return set(named)
    found = {meanings[word] for word in named if word in meanings}
    if not found and ANYBODY in meanings:
        return {meanings[ANYBODY]}
    return found


def _has(named: list[str]) -> str:
    return f"has {len(named)} word{'' if len(named) == 1 else 's'}"
