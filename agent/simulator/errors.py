"""What can go wrong inside the simulator, and how it is told to the client."""

from __future__ import annotations


class OllamaError(Exception):
    """An error Ollama reports as `{"error": message}` with an HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ClientGone(Exception):
    """The client closed the connection, or the server is stopping: end this request without a word."""


class CutConnection(Exception):
    """A fault asks for the connection to be closed in the middle of the answer."""


def bad_request(message: str) -> OllamaError:
    """400 with `message`."""
    return OllamaError(400, message)


def model_required() -> OllamaError:
    """400 for a request that names no model."""
    return bad_request("model is required")


def model_not_found(name: str) -> OllamaError:
    """404 in Ollama's wording."""
    return OllamaError(404, f"model '{name}' not found")
