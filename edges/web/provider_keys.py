"""The keys that an identity provider signs tokens with, fetched from it and kept for a while.

Which algorithm is right follows from the key, never from the token: RS256 for RSA, ES256 for the curve P-256.
"""

from __future__ import annotations

import asyncio
import http.client
import time
from typing import Final

import jwt

from edges.web.problems import unavailable
from process.settings import SettingsError

KEYS_KEPT_S: Final = 300.0
"""The provider's keys are asked for again after this time."""
KEYS_OUTLIVE_S: Final = 3_600.0
"""They are still used for so long while the provider is away."""
KEYS_RETRY_S: Final = 10.0
"""The provider is asked at most so often: it is away, or a token names a key that nobody has."""
KEYS_TIMEOUT_S: Final = 3.0

NOT_ACCEPTED: Final = "the token is none of this installation's; send one that was issued for it"

_ALGORITHMS_OF_PROVIDERS: Final = ("RS256", "ES256")


class BadToken(Exception):  # noqa: N818  read as what is wrong
    """A token that proves nothing; the message tells whoever sent it what is missing."""

    def __init__(self, message: str = NOT_ACCEPTED) -> None:
        super().__init__(message)


class ProviderKeys:
    """The keys of an identity provider (JWKS), fetched in a thread, at most one fetch at a time.

    Whose key is known waits for no fetch: it goes on beside. Who waits, does for KEYS_TIMEOUT_S at most, however slowly
    the provider speaks.
    """

    def __init__(self, url: str, setting: str) -> None:
        """Take where they are, and the setting that says so, for messages; raise SettingsError."""
        self._setting = setting
        try:
            self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=KEYS_TIMEOUT_S)
        except jwt.PyJWKClientError as fault:
            msg = f"{setting}: {fault}"
            raise SettingsError(msg) from None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_s: float | None = None
        self._tried_s: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: object) -> jwt.PyJWK:
        """Return a key by its id.

        Raises:
            BadToken: the provider has no such key.
            Problem: 503, the provider does not say.

        """
        if not isinstance(key_id, str):
            raise BadToken
        if self._is_due(key_id) and self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        if self._fetching is not None and (key_id not in self._keys or self._is_too_old()):
            await asyncio.wait({self._fetching}, timeout=KEYS_TIMEOUT_S)
        if self._is_too_old():
            msg = f"the identity provider's keys cannot be had: {self._setting} does not answer with any"
            raise unavailable(msg)
        try:
            return self._keys[key_id]
        except KeyError:
            raise BadToken from None

    def _is_due(self, key_id: str) -> bool:
        now_s = time.monotonic()
        if self._tried_s is not None and now_s - self._tried_s < KEYS_RETRY_S:
            return False
        return self._fetched_s is None or now_s - self._fetched_s > KEYS_KEPT_S or key_id not in self._keys

    def _is_too_old(self) -> bool:
        return self._fetched_s is None or time.monotonic() - self._fetched_s > KEYS_OUTLIVE_S

    async def _fetch(self) -> None:
        try:
            keys = await asyncio.to_thread(self._client.get_signing_keys)
        except (jwt.PyJWTError, OSError, ValueError, http.client.HTTPException):
            pass  # the keys that are known stay
        else:
            # A key that names another algorithm, or none of ours, is not one of ours.
            self._keys = {
                key.key_id: key for key in keys if key.key_id and key.algorithm_name in _ALGORITHMS_OF_PROVIDERS
            }
            self._fetched_s = time.monotonic()
        finally:
            self._tried_s = time.monotonic()
            self._fetching = None
