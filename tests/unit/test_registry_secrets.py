"""Secrets that are handed in, and the form that Standard Webhooks gives them."""

from __future__ import annotations

import base64
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from edges.registry.errors import BadSecret
from edges.registry.secrets import NewSecret, parse_secret, webhook_text


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_webhook_secret_is_what_the_library_takes(size: int) -> None:
    """`whsec_` and base64; the bytes are those that sign."""
    secret = bytes(range(size))
    text = webhook_text(secret)
    assert text == f"whsec_{base64.b64encode(secret).decode()}"
    assert parse_secret("webhook", f" {text}\n") == secret
    assert Webhook(text)._whsecret == secret  # noqa: SLF001 - it tells it in no other way


def coded(size: int) -> str:
    """Return base64 of so many bytes."""
    return base64.b64encode(bytes(size)).decode()


@pytest.mark.parametrize(
    "text", ["", "whsec_", coded(32), f"whsec_{coded(23)}", f"whsec_{coded(65)}", "whsec_!!!", "whsec_ä"]
)
def test_another_form_is_refused_without_being_quoted(text: str) -> None:
    """No prefix, too short, too long, not base64."""
    with pytest.raises(BadSecret, match="a webhook secret is whsec_ and base64 of 24 to 64 bytes") as caught:
        parse_secret("webhook", text)
    assert text.removeprefix("whsec_") == "" or text not in str(caught.value)


def test_other_secrets_are_any_text_but_none() -> None:
    """A membership system's token has the form that its maker likes."""
    assert parse_secret("membership", "Bearer ä\n") == "Bearer ä".encode()
    with pytest.raises(BadSecret, match="the code secret is empty"):
        parse_secret("code", " \n")


def test_a_new_secret_is_not_shown() -> None:
    """Not in a traceback's locals either."""
    assert "hush" not in repr(NewSecret(uuid4(), "code", b"hush"))
