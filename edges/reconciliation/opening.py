"""A source's endpoint, opened with what it asks for: headers of its kind, and a token or what grants tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from edges.reconciliation.endpoint import PATIENT, Endpoint, Patience
from edges.reconciliation.errors import SourceFailed
from edges.reconciliation.oauth import ClientCredentials
from edges.reconciliation.pages import ACCEPTED
from edges.reconciliation.reasons import Fault
from edges.reconciliation.runs import FILE, Source


@contextmanager
def opened_endpoint(source: Source, secret: str | None, patience: Patience = PATIENT) -> Iterator[Endpoint]:
    """Give the endpoint of a source that is asked by HTTP, for the body.

    Args:
        source: the source.
        secret: its token, or its client's secret; None: there is none.
        patience: how often it, and what grants its tokens, is asked.

    Raises SourceFailed where a client has no secret.

    """
    headers = dict(ACCEPTED["csv" if source.kind == FILE else source.kind])
    if source.is_delta:
        headers["Prefer"] = ",".join(filter(None, (headers.get("Prefer"), "odata.track-changes")))
    with ExitStack() as opened:
        token: str | ClientCredentials | None = secret
        if source.client is not None:
            if secret is None:
                raise SourceFailed(Fault("no-secret"))
            token = opened.enter_context(ClientCredentials(source.client, secret, patience=patience))
        yield opened.enter_context(Endpoint(source.url, token=token, headers=headers, patience=patience))
