"""HTTP: reading requests, answering with JSON or a stream of JSON lines, and the table of paths."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable
from urllib.parse import urlsplit

from .clock import ClientWatch
from .errors import ClientGone, CutConnection, OllamaError
from .faults import HANG, INFERENCE_PATHS, STATUS
from .world import World

MAX_BODY_BYTES = 256 * 1024 * 1024
MAX_CHUNK_LINE_BYTES = 1024
JSON_TYPE = "application/json; charset=utf-8"
NDJSON_TYPE = "application/x-ndjson"
TEXT_TYPE = "text/plain; charset=utf-8"
ROUTER_TEXT_TYPE = "text/plain"


def json_bytes(value: object) -> bytes:
    """Compact JSON as Go writes it: UTF-8, with <, > and & escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    escaped = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return escaped.encode(errors="replace")


class Exchange:
    """One request and its answer."""

    def __init__(self, handler: Handler, path: str, body: bytes) -> None:
        self._handler = handler
        self.path = path
        self.body = body
        self.world = handler.server.world
        self.watch = ClientWatch(handler.connection)
        self.streaming = False
        self.client_address = str(handler.client_address[0])
        self.has_origin = "Origin" in handler.headers

    def restart_server(self, down_s: float) -> None:
        """Let the whole server go away and come back; this connection is cut with all others."""
        self._handler.server.on_restart(down_s)
        raise CutConnection

    def send(self, status: int, content: bytes, content_type: str) -> None:
        """A whole answer of known length."""
        handler = self._handler
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)

    def send_json(self, value: object, status: int = 200) -> None:
        """A whole answer in JSON."""
        self.send(status, json_bytes(value), JSON_TYPE)

    def send_empty(self) -> None:
        """200 without a body."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Length", "0")
        self._handler.end_headers()

    def send_line(self, value: Mapping[str, Any]) -> None:
        """One line of a stream, sent at once. The first one sends the headers too."""
        self.send_raw_line(json_bytes(value) + b"\n")

    def send_raw_line(self, line: bytes) -> None:
        """One chunk of a stream, whatever it contains."""
        self._handler.wfile.write(self._headers_once() + b"%x\r\n%s\r\n" % (len(line), line))

    def end_stream(self) -> None:
        """Say that the stream is complete."""
        self._handler.wfile.write(self._headers_once() + b"0\r\n\r\n")

    def _headers_once(self) -> bytes:
        """The headers of a stream if not sent yet. They go in one write with the first line, which must not be late."""
        if self.streaming:
            return b""
        self.streaming = True
        date = self._handler.date_time_string()
        lines = ("HTTP/1.1 200 OK", f"Content-Type: {NDJSON_TYPE}", f"Date: {date}", "Transfer-Encoding: chunked")
        return "\r\n".join((*lines, "", "")).encode()


Endpoint = Callable[[Exchange], None]
Routes = Mapping[tuple[str, str], Endpoint]


class Handler(BaseHTTPRequestHandler):
    """One connection; requests on it follow one another."""

    protocol_version = "HTTP/1.1"
    server_version = "obt-simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    server: SimulatorHTTPServer

    def do_GET(self) -> None:
        """Also HEAD, POST, DELETE: every method goes the same way."""
        try:
            exchange = Exchange(self, urlsplit(self.path).path, self._read_body())
            self._answer(exchange)
        except (ClientGone, CutConnection, OSError):
            self._hang_up()

    do_HEAD = do_POST = do_DELETE = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the request log of the world has it."""

    def _answer(self, exchange: Exchange) -> None:
        try:
            self._fail_as_ordered(exchange)
            self.server.route("GET" if self.command == "HEAD" else self.command, exchange.path)(exchange)
        except OllamaError as error:
            if exchange.streaming:
                exchange.send_line({"error": error.message})
                exchange.end_stream()
            else:
                exchange.send_json({"error": error.message}, error.status)

    def _fail_as_ordered(self, exchange: Exchange) -> None:
        """Faults ordered for a path outside inference; those have a model and see to it themselves."""
        if exchange.path in INFERENCE_PATHS or exchange.path.startswith("/simulator/"):
            return
        plan = exchange.world.faults.take(exchange.path)
        if fault := plan.get(HANG):
            if fault.seconds is None:
                exchange.watch.wait_for_ever()
            exchange.watch.wait_s(fault.seconds or 0.0)
        if fault := plan.get(STATUS):
            raise OllamaError(fault.status, fault.message or "something went wrong, as ordered")

    def _read_body(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return self._read_chunks()
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            raise CutConnection
        return self.rfile.read(int(length))

    def _read_chunks(self) -> bytes:
        body = b""
        while size := self._chunk_size():
            if len(body) + size > MAX_BODY_BYTES:
                raise CutConnection
            body += self.rfile.read(size)
            self.rfile.readline(MAX_CHUNK_LINE_BYTES)
        self.rfile.readline(MAX_CHUNK_LINE_BYTES)
        return body

    def _chunk_size(self) -> int:
        try:
            return int(self.rfile.readline(MAX_CHUNK_LINE_BYTES).split(b";")[0], 16)
        except ValueError as wrong:
            raise CutConnection from wrong

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


class SimulatorHTTPServer(ThreadingHTTPServer):
    """Threads per connection; knows its connections, so that stopping ends each at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], world: World, routes: Routes, on_restart: Callable[[float], None]
    ) -> None:
        self.world = world
        self._routes = routes
        self.on_restart = on_restart
        self._connections: set[socket.socket] = set()
        super().__init__(address, Handler)

    def route(self, method: str, path: str) -> Endpoint:
        """What answers there; 404 and 405 as Ollama's router words them."""
        found = self._routes.get((method, path))
        if found is not None:
            return found
        if any(known == path for _, known in self._routes):
            return lambda exchange: exchange.send(405, b"405 method not allowed", ROUTER_TEXT_TYPE)
        return lambda exchange: exchange.send(404, b"404 page not found", ROUTER_TEXT_TYPE)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then serve it in a thread."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection, then close it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        """End every connection now; requests that run notice at once."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
