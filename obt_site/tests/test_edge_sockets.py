"""WebSockets at a real daphne: frames have a cap, a person has so many sockets, who never answers is dropped."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from benchmarks.tests import world
from conftest import emptied
from obt_site import mongo
from obt_site.tests.impatient import SOCKET_FRAME_BYTES, SOCKETS_PER_PERSON
from obt_site.tests.people import PASSWORD
from obt_site.tests.raw_http import connect, read_to_end
from obt_site.tests.server import RunningServer

HANDSHAKE = (
    "GET /ws/fleet HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://{host}\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nCookie: {cookie}\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
TOO_MANY = 4429


@pytest.fixture(scope="module")
def server(database_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    uri = emptied(urlsplit(database_uri)._replace(path="/sockets").geturl())
    folder: Path = tmp_path_factory.mktemp("sockets")
    impatient = {
        "DJANGO_SETTINGS_MODULE": "obt_site.tests.impatient",
        "OBT_ADMIN_USERNAME": "ada",
        "OBT_ADMIN_PASSWORD": PASSWORD,
    }
    with RunningServer(uri, folder, **impatient) as running:
        yield running


@pytest.fixture(scope="module")
def cookie(server: RunningServer) -> str:
    server.manage("shell", "-c", MAKE_ADA)
    browser = requests.Session()
    page = browser.get(f"{server.url}/sign-in", timeout=30)
    token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token}
    browser.post(f"{server.url}/sign-in", form, timeout=30, allow_redirects=False)
    return "; ".join(f"{each.name}={each.value}" for each in browser.cookies)


MAKE_ADA = (
    "from django.contrib.auth import get_user_model;"
    f"get_user_model().objects.create_superuser('ada', password={PASSWORD!r})"
)


class Socket:
    """A browser's socket that reads only when it is told to."""

    def __init__(self, server: RunningServer, cookie: str) -> None:
        self.line = connect(server)
        self.line.sendall(HANDSHAKE.format(host=f"127.0.0.1:{server.port}", cookie=cookie).encode())
        self.left = b""
        while b"\r\n\r\n" not in self.left:
            self.left += self.line.recv(65536)
        self.answer, _, self.left = self.left.partition(b"\r\n\r\n")

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def send(self, kind: int, payload: bytes) -> None:
        mask = os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.line.sendall(bytes([0x80 | kind]) + size + mask + masked)

    def _take(self, count: int) -> bytes:
        while len(self.left) < count:
            piece = self.line.recv(65536)
            if not piece:
                raise ConnectionResetError
            self.left += piece
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def frame(self) -> tuple[int, bytes]:
        """The next frame: its kind and its content."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return first & 0x0F, self._take(length)

    def until(self, kind: int) -> bytes:
        while True:
            found, payload = self.frame()
            if found == kind:
                return payload

    def closed_with(self) -> int:
        (code,) = struct.unpack(">H", self.until(CLOSE)[:2])
        return int(code)


def test_a_frame_over_the_cap_ends_the_socket(server, cookie):
    with Socket(server, cookie) as socket:
        socket.until(TEXT)
        with pytest.raises(ConnectionError):  # noqa: PT012  (whether it is noticed while sending is the system's affair)
            socket.send(TEXT, b"x" * (SOCKET_FRAME_BYTES + 1))
            socket.send(PING, b"still there?")
            socket.until(PONG)


def test_a_frame_within_the_cap_is_passed_over(server, cookie):
    with Socket(server, cookie) as socket:
        socket.until(TEXT)
        socket.send(TEXT, b"x" * SOCKET_FRAME_BYTES)
        socket.send(PING, b"still there?")

        assert socket.until(PONG) == b"still there?"


def test_a_page_is_sent_whole_however_large_and_the_cap_holds_after_it(server, cookie):
    mongo.connect(server.mongodb_uri)
    for number in range(20):
        world.machine(f"machine-{number}")

    with Socket(server, cookie) as socket:
        sent = socket.until(TEXT)
        assert len(sent) > 2 * SOCKET_FRAME_BYTES
        assert b"machine-19" in sent
        with pytest.raises(ConnectionError):  # noqa: PT012  (as above)
            socket.send(TEXT, b"x" * (SOCKET_FRAME_BYTES + 1))
            socket.send(PING, b"still there?")
            socket.until(PONG)


def test_one_socket_too_many_is_told_and_a_closed_one_makes_room(server, cookie):
    sockets = [Socket(server, cookie) for _ in range(SOCKETS_PER_PERSON)]
    for each in sockets:
        each.until(TEXT)
    with Socket(server, cookie) as socket:
        assert socket.closed_with() == TOO_MANY

    sockets[0].send(CLOSE, struct.pack(">H", 1000))
    read_to_end(sockets[0].line)
    for _ in range(50):  # the place is free once the server has noticed
        with Socket(server, cookie) as again:
            if again.frame()[0] == TEXT:
                break
    else:
        pytest.fail("the closed socket's place was never free again")
    for each in sockets:
        each.line.close()


def test_who_never_answers_a_ping_is_dropped(server, cookie):
    with Socket(server, cookie) as socket:
        socket.until(PING)

        read_to_end(socket.line)  # a TimeoutError, were it left open
