"""Styles, scripts, fonts and icons under names that change with their content, so that browsers keep them for ever.

Made in memory from `static/` when first asked for; there is no build step. `css/obt.css` is all stylesheets in the
order of the cascade, as one file: twenty small ones are twenty requests. What a stylesheet names by `url(…)` gets its
hashed name too. While developing (OBT_DEBUG) a change of any file is noticed.
"""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

STATIC = Path(settings.BASE_DIR) / "static"
STYLES = "css/obt.css"
FOR_EVER = "max-age=315360000, public, immutable"
DIGITS = 12  # of the hash in a name
WORTH_SQUEEZING = frozenset({".css", ".js", ".svg", ".txt", ".json"})
TYPES = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
_URL = re.compile(rb'url\("([^"#)]+)("|#)')


@dataclass(frozen=True)
class Asset:
    """One file as it is sent. `squeezed`: the same by gzip, None where that gains nothing."""

    name: str
    content: bytes
    squeezed: bytes | None
    kind: str


@dataclass(frozen=True)
class Shelf:
    """All of them: by the name templates use, and by the name browsers ask for."""

    by_path: dict[str, Asset]
    by_name: dict[str, Asset]


def shelf(styles: tuple[str, ...]) -> Shelf:
    """The assets as the files are now; `styles` are the stylesheets in order."""
    stamp = max(path.stat().st_mtime_ns for path in _files()) if settings.DEBUG else 0
    return _shelf(styles, stamp)


def _files() -> list[Path]:
    return [path for path in sorted(STATIC.rglob("*")) if path.is_file()]


@lru_cache(maxsize=2)
def _shelf(styles: tuple[str, ...], stamp: int) -> Shelf:
    sources = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in _files()}
    made = {path: _asset(path, content) for path, content in sources.items() if not path.endswith(".css")}
    sheets = {path: _pointed(path, content, made) for path, content in sources.items() if path.endswith(".css")}
    made |= {path: _asset(path, content) for path, content in sheets.items()}
    made[STYLES] = _asset(STYLES, b"\n".join(sheets[f"css/{name}.css"] for name in styles))
    return Shelf(made, {asset.name: asset for asset in made.values()})


def _pointed(path: str, content: bytes, made: dict[str, Asset]) -> bytes:
    """The stylesheet with the hashed names of what it names."""

    def named(found: re.Match[bytes]) -> bytes:
        target = (STATIC / path).parent.joinpath(found[1].decode()).resolve().relative_to(STATIC.resolve()).as_posix()
        return b'url("' + f"{settings.STATIC_URL}{made[target].name}".encode() + found[2]

    return _URL.sub(named, content)


def _asset(path: str, content: bytes) -> Asset:
    place = PurePosixPath(path)
    digest = hashlib.sha256(content).hexdigest()[:DIGITS]
    squeezed = gzip.compress(content, mtime=0) if place.suffix in WORTH_SQUEEZING else None
    kind = TYPES.get(place.suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Asset(
        name=str(place.with_name(f"{place.stem}.{digest}{place.suffix}")),
        content=content,
        squeezed=squeezed if squeezed is not None and len(squeezed) < len(content) else None,
        kind=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
    )


@require_safe
def asset(request: HttpRequest, name: str) -> HttpResponse:
    """A file by its hashed name. An old name is gone: whoever has a page that asks for it reloads."""
    from obt_site.templatetags.obt import STYLESHEETS  # noqa: PLC0415  (it asks here for addresses)

    found = shelf(STYLESHEETS).by_name.get(name)
    if found is None:
        raise Http404
    takes = "gzip" in request.headers.get("Accept-Encoding", "")
    squeezed = found.squeezed if takes else None
    answer = HttpResponse(found.content if squeezed is None else squeezed, content_type=found.kind)
    answer.headers["Cache-Control"] = FOR_EVER
    if found.squeezed is not None:
        answer.headers["Vary"] = "Accept-Encoding"
    if squeezed is not None:
        answer.headers["Content-Encoding"] = "gzip"
    return answer
