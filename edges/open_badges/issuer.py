"""Who issues: the organisation, by a did:web whose document this program answers with (W3C CCG, did:web method).

`did:web:refer.example.org:orgs:ORG` is at `https://refer.example.org/orgs/ORG/did.json`. So a credential is as good as
the domain: who controls it says which keys are the organisation's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edges.open_badges.keys import SigningKey

DOCUMENT_PATH: Final = "/orgs/{org_id}/did.json"
_CONTEXT: Final = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1")


def issuer_of(public_url: str | None, org_id: str) -> str | None:
    """Return an organisation's DID, at the address that people know; None where that is no https.

    did:web is fetched by https alone, so a credential of any other address could never be verified.
    """
    address = urlsplit(public_url or "")
    if address.scheme != "https" or address.hostname is None:
        return None
    host = address.hostname if address.port is None else f"{address.hostname}%3A{address.port}"
    path = [quote(part, safe="") for part in address.path.split("/") if part]
    return ":".join(["did:web", host, *path, "orgs", org_id])


def key_id(issuer: str, key: SigningKey) -> str:
    """Return what a proof names the key by."""
    return f"{issuer}#{key.public}"


def did_document(issuer: str, keys: Iterable[SigningKey]) -> dict[str, Any]:
    """Return the document of an issuer: the keys whose signatures are his."""
    methods = [
        {"id": key_id(issuer, key), "type": "Multikey", "controller": issuer, "publicKeyMultibase": key.public}
        for key in keys
    ]
    return {
        "@context": list(_CONTEXT),
        "id": issuer,
        "verificationMethod": methods,
        "assertionMethod": [method["id"] for method in methods],
    }
