"""A requests transport whose waiting can be ended from another thread, by shutting its sockets down."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class OpenSockets:
    """The sockets one adapter has open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: list[Any] = []

    def add(self, connection: Any) -> None:
        with self._lock:
            self._connections = [known for known in self._connections if known.sock is not None] + [connection]

    def shut_down(self) -> None:
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            sock = connection.sock
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


class InterruptibleAdapter(HTTPAdapter):
    """`interrupt` makes every request waiting on this adapter fail at once with a ConnectionError."""

    def __init__(self) -> None:
        self._open = OpenSockets()
        super().__init__(pool_connections=2, pool_maxsize=2)

    def interrupt(self) -> None:
        self._open.shut_down()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.poolmanager.pool_classes_by_scheme = _pools(self._open)  # type: ignore[attr-defined]


def _pools(sockets: OpenSockets) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            sockets.add(self)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            sockets.add(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
