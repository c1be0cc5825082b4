"""Where a request came from."""

from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """The address of whoever sent the request."""
    return str(request.META.get("REMOTE_ADDR") or "unknown")
