"""A connection to one broker, for a thread that asks and waits: Kafka's framing, TLS and who we are.

The requests are aiokafka's. A connection that a broker has closed meanwhile, because nobody asked for ten minutes or
because what let us in has expired, is found before a request is sent on it, and made anew.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from aiokafka.conn import SaslPlainAuthenticator, ScramAuthenticator
from aiokafka.protocol.admin import SaslAuthenticateRequest_v1, SaslHandShakeRequest_v1
from confluent_kafka import KafkaError, KafkaException

from streams.engine.credentials import PLAINTEXT, tls_context

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from aiokafka.protocol.api import RequestStruct

LENGTH: Final = struct.Struct(">i")
CONNECT_TIMEOUT_S: Final = 5.0
IDLE_S: Final = 1.0
"""A connection that was used so recently is not looked at."""
LIFE_USED: Final = 0.8
"""Of the time for which a broker lets us in, where it sets one, the share after which we come anew."""
BY_PASSWORD: Final = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})


def kafka_error(code: int, text: str, *, retriable: bool = False) -> KafkaException:
    """Return an error as librdkafka would raise it: a broker's code, or one of librdkafka's own."""
    return KafkaException(KafkaError(code, text, retriable=retriable))


def can_connect(config: Mapping[str, Any]) -> bool:
    """Tell whether connections can be made to a cluster that is configured so: all but those that need a token."""
    if not config.get("security.protocol", PLAINTEXT).startswith("SASL"):
        return True
    return config.get("sasl.mechanism") in BY_PASSWORD


class BrokerConnection:
    """Asks one broker; not for two threads at a time. Raises KafkaException, after which it is closed."""

    def __init__(self, config: Mapping[str, Any], host: str, port: int) -> None:
        """Make it without connecting; `config` is librdkafka's."""
        self._config = config
        self._host, self._port = host, port
        self._socket: socket.socket | None = None
        self._reader: Any = None
        self._unanswered: deque[tuple[int, RequestStruct]] = deque()
        self._asked = 0
        self._used_s = 0.0
        self._good_until_s = float("inf")

    def send(self, request: RequestStruct, deadline_s: float) -> None:
        """Send a request; its answer is the next but those of the requests before it.

        Args:
            request: of aiokafka's.
            deadline_s: monotonic time by which it must be gone.

        """
        if self._socket is not None and not self._unanswered and self._is_stale():
            self.close()
        if self._socket is None:
            self._connect(min(deadline_s, time.monotonic() + CONNECT_TIMEOUT_S))
        self._send(request, deadline_s)

    def receive(self, deadline_s: float) -> Any:  # noqa: ANN401 - aiokafka's answers have their fields by name
        """Return the answer to the oldest request that has none."""
        try:
            self._until(deadline_s)
            asked, request = self._unanswered.popleft()
            frame = BytesIO(self._read(LENGTH.unpack(self._read(LENGTH.size))[0]))
        except (OSError, IndexError, ValueError) as error:  # the last two: another thread has closed it
            raise self._broken(error) from error
        header = request.parse_response_header(frame)
        if header.correlation_id != asked:
            raise self._broken(ConnectionError("an answer to another request"))
        self._used_s = time.monotonic()
        return request.RESPONSE_TYPE.decode(frame)

    def ask(self, request: RequestStruct, deadline_s: float) -> Any:  # noqa: ANN401 - the same
        """Send a request and return its answer."""
        self.send(request, deadline_s)
        return self.receive(deadline_s)

    def close(self) -> None:
        """Let the connection go; a thread that waits for an answer on it is told that it has ended."""
        closing, self._socket = self._socket, None
        if closing is not None:
            with suppress(OSError):  # the broker was faster
                closing.shutdown(socket.SHUT_RDWR)
            self._reader.close()
            closing.close()
        self._unanswered.clear()

    def _is_stale(self) -> bool:
        """Tell whether the broker has closed it: then there is something to read, though nothing was asked."""
        now_s = time.monotonic()
        if now_s >= self._good_until_s:
            return True
        if now_s - self._used_s <= IDLE_S:
            return False
        readable = select.poll()  # and not select(), which takes no descriptor beyond 1,023
        readable.register(self._reader, select.POLLIN)
        return bool(readable.poll(0))

    def _connect(self, deadline_s: float) -> None:
        try:
            context = tls_context(self._config)
            made = socket.create_connection((self._host, self._port), max(0.001, deadline_s - time.monotonic()))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                made = context.wrap_socket(made, server_hostname=self._host)
        except OSError as error:
            raise self._broken(error) from error
        self._socket, self._reader = made, made.makefile("rb")
        self._good_until_s = float("inf")
        if mechanism := self._config.get("sasl.mechanism"):
            self._authenticate(mechanism, deadline_s)

    def _authenticate(self, mechanism: str, deadline_s: float) -> None:
        self._send(SaslHandShakeRequest_v1(mechanism), deadline_s)
        if code := self.receive(deadline_s).error_code:
            raise self._refused(code, f"it does not take {mechanism}")
        steps = self._steps(mechanism)
        said: bytes | None = None
        while True:
            try:
                token, _ = steps.send(said)
            except StopIteration:
                return
            except (ValueError, KeyError) as error:
                raise self._refused(KafkaError._AUTHENTICATION, str(error)) from error  # noqa: SLF001 - its name
            self._send(SaslAuthenticateRequest_v1(token), deadline_s)
            answer = self.receive(deadline_s)
            if answer.error_code:
                raise self._refused(answer.error_code, answer.error_message or "")
            if answer.session_lifetime_ms:
                self._good_until_s = time.monotonic() + LIFE_USED * answer.session_lifetime_ms / 1000
            said = answer.sasl_auth_bytes

    def _steps(self, mechanism: str) -> Generator[tuple[bytes, bool], bytes | None]:
        who = {
            "loop": None,
            "sasl_plain_username": self._config["sasl.username"],
            "sasl_plain_password": self._config["sasl.password"],
        }
        steps: Generator[tuple[bytes, bool], bytes | None]
        if mechanism == "PLAIN":
            steps = SaslPlainAuthenticator(**who).authenticator_plain()
        else:
            steps = ScramAuthenticator(**who, sasl_mechanism=mechanism).authenticator_scram()
        return steps

    def _send(self, request: RequestStruct, deadline_s: float) -> None:
        self._asked += 1
        header = request.build_request_header(self._asked, str(self._config.get("client.id", "")))
        message = header.encode() + request.encode()
        self._unanswered.append((self._asked, request))
        try:
            self._until(deadline_s).sendall(LENGTH.pack(len(message)) + message)
        except OSError as error:
            raise self._broken(error) from error

    def _until(self, deadline_s: float) -> socket.socket:
        if self._socket is None:
            raise ConnectionError("closed")
        self._socket.settimeout(max(0.001, deadline_s - time.monotonic()))
        return self._socket

    def _read(self, size: int) -> bytes:
        found: bytes = self._reader.read(size)
        if len(found) < size:
            raise ConnectionError("the broker has closed the connection")
        return found

    def _broken(self, error: Exception) -> KafkaException:
        self.close()
        code = KafkaError._TIMED_OUT if isinstance(error, TimeoutError) else KafkaError._TRANSPORT  # noqa: SLF001 - their names
        return kafka_error(code, f"{self._host}:{self._port}: {str(error) or type(error).__name__}")

    def _refused(self, code: int, text: str) -> KafkaException:
        self.close()
        return kafka_error(code, f"{self._host}:{self._port} lets nobody in: {text}")
