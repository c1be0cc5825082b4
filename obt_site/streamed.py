"""A download that is written while it is sent: no file is ever whole in memory, however many rows it has."""

from collections.abc import AsyncIterator, Iterator
from itertools import chain

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


def download(request: HttpRequest, pieces: Iterator[str], content_type: str, name: str) -> StreamingHttpResponse:
    """The pieces as a file of this name. The first one is made here, so that what fails at once is an error answer."""
    begun = chain([next(pieces, "")], pieces)
    # Under ASGI Django would read a plain iterator to its end before it sends anything.
    content = _in_threads(begun) if isinstance(request, ASGIRequest) else begun
    response = StreamingHttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _in_threads(pieces: Iterator[str]) -> AsyncIterator[str]:
    following = sync_to_async(lambda: next(pieces, None), thread_sensitive=False)
    while (piece := await following()) is not None:
        yield piece
