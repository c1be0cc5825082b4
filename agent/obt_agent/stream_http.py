"""As much of HTTP/1.1 as one streamed answer needs, on a socket: reading and understanding are apart.

http.client reads headers and the framing of chunks in a dozen calls each before it hands out a byte; here a read is one
call, so that its moment is stamped at once and a stream costs the measured machine little.

Source: RFC 9112, sections 2 (messages), 6.3 (how long a body is) and 7.1 (chunked).
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from typing import Optional
from urllib.parse import SplitResult, quote

READ_BYTES = 64 * 1024
MAX_HEAD_BYTES = 64 * 1024
MAX_FRAMING_BYTES = 64 * 1024  # of one line between chunks
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r?\n)")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})\s*(?:;.*)?")
_HTTP = b"HTTP/"
_CONTINUE = b"HTTP/1.1 100"  # comes before the answer


def post(address: SplitResult, path: str, body: bytes, accept: str) -> bytes:
    """The bytes of a request with a JSON body. `path` goes behind that of `address`."""
    target = quote(address.path.rstrip("/") + path, safe="/%:@!$&'()*+,;=~")
    host = address.netloc.rpartition("@")[2]
    lines = (
        f"POST {target} HTTP/1.1",
        f"Host: {host}",
        f"Accept: {accept}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


class Answer:
    """One answer: `begin`, then what was read goes through `content`, in order.

    `first`: what came along with the head, and when that was, in ns of perf_counter. `ended`: `content` has had all.
    """

    status = 0
    first: tuple[int, bytes] = (0, b"")
    ended = False

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._chunked = False
        self._left: Optional[int] = None  # bytes of the body, or of the chunk; None: until the connection ends
        self._held = b""
        self._after_chunk = self._in_trailer = False

    def begin(self) -> None:
        """Read the head. Raises OSError; HTTPException when it is none."""
        stamp, data = self._more(b"")
        while not (head := _HEAD_END.search(data)) or data.startswith(_CONTINUE):
            stamp, data = self._more(data) if head is None else (stamp, data[head.end() :])
        status = _STATUS_LINE.match(data)
        if status is None:
            raise http.client.BadStatusLine(repr(data[:60]))
        self.status = int(status[1])
        self._understand(data[data.index(b"\n") + 1 : head.end()])
        self.first = (stamp, data[head.end() :])

    def _more(self, data: bytes) -> tuple[int, bytes]:
        piece = self._socket.recv(READ_BYTES)
        stamp = time.perf_counter_ns()
        data += piece
        if not piece:
            raise http.client.RemoteDisconnected if not data else http.client.IncompleteRead(data[:100])
        if data[: len(_HTTP)] != _HTTP[: len(data)] or len(data) > MAX_HEAD_BYTES + READ_BYTES:
            raise http.client.BadStatusLine(repr(data[:60]))
        return stamp, data

    def _understand(self, lines: bytes) -> None:
        headers = http.client.parse_headers(io.BytesIO(lines))
        self._chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        length = headers.get("Content-Length", "").strip()
        self._left = 0 if self._chunked else int(length) if length.isdecimal() else None
        self.ended = not self._chunked and self._left == 0

    @property
    def end_is_marked(self) -> bool:
        """Whether the body says where it ends; otherwise it ends with the connection."""
        return self._chunked or self._left is not None

    def content(self, raw: bytes) -> bytes:
        """The part of the answer in what was read. Raises HTTPException for framing that is none."""
        if not self._chunked:
            return self._plain(raw)
        data, self._held = self._held + raw, b""
        parts, at = [], 0
        while at < len(data) and not self.ended:
            if self._left:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                self._after_chunk = not self._left
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._hold(data[at:])
                break
            self._framing(data[at:end].strip())
            at = end + 1
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _plain(self, raw: bytes) -> bytes:
        if self._left is None:
            return raw
        part = raw[: self._left]
        self._left -= len(part)
        self.ended = not self._left
        return part

    def _hold(self, rest: bytes) -> None:
        if len(rest) > MAX_FRAMING_BYTES:
            raise http.client.IncompleteRead(rest[:100])
        self._held = rest

    def _framing(self, line: bytes) -> None:
        """A line between chunks: a size, the end of a chunk, or what may follow the last."""
        if self._in_trailer:
            self.ended = not line
        elif self._after_chunk:
            self._after_chunk = False
            if line:
                raise http.client.IncompleteRead(line[:100])
        else:
            self._left = _size(line)
            self._in_trailer = not self._left


def _size(line: bytes) -> int:
    found = _CHUNK_SIZE.fullmatch(line)
    if found is None:
        raise http.client.IncompleteRead(line[:100])
    return int(found[1], 16)
