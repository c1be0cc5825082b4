"""Writing SVG: elements with escaped attributes, positions in percent, scales with round ends.

Everything is escaped here and nowhere else: :func:`el` is the only way the charts make markup.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from obt_site.formatting import finite, number

Attr = str | float | int | None

NICE_STEPS = (1.0, 2.0, 2.5, 3.0, 5.0, 10.0)


def el(name: str, attrs: Mapping[str, Attr], *children: str) -> SafeString:
    """One element. Attributes that are ``None`` are left out; text children are escaped, safe ones are kept."""
    written = "".join(f' {key}="{conditional_escape(str(value))}"' for key, value in attrs.items() if value is not None)
    body = "".join(conditional_escape(child) for child in children)
    return mark_safe(f"<{name}{written}>{body}</{name}>" if body else f"<{name}{written}/>")  # noqa: S308  # nosec


def join(parts: Iterable[str]) -> SafeString:
    """Pieces of markup put together, each escaped unless it is safe already."""
    return mark_safe("".join(conditional_escape(part) for part in parts))  # noqa: S308  # nosec


def text(content: str, attrs: Mapping[str, Attr]) -> SafeString:
    """A text element; an empty one is nothing."""
    return el("text", attrs, content) if content else mark_safe("")  # nosec B308


def titled(title: str) -> SafeString:
    """A ``<title>``, which browsers show on hover and screen readers read; nothing for an empty one."""
    return el("title", {}, title) if title else mark_safe("")  # nosec B308


def spoken(label: str) -> dict[str, Attr]:
    """Attributes that make a picture speak, or hide it where the same numbers stand beside it."""
    return {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}


def pct(share: float) -> str:
    """A share of the width as SVG wants it, held inside the picture: 0.5 -> ``50.00%``."""
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def share(value: float, floor: float, ceiling: float) -> float:
    """Where ``value`` lies between ``floor`` (0) and ``ceiling`` (1); a scale without length puts it in the middle."""
    return 0.5 if ceiling <= floor else (value - floor) / (ceiling - floor)


def known(values: Iterable[object]) -> list[float]:
    """The finite numbers among ``values``, in order."""
    return [value for value in map(finite, values) if value is not None]


def nice_step(span: float, about: int) -> float:
    """A round step that divides ``span`` into roughly ``about`` parts (never more than ``about`` + 1)."""
    if span <= 0 or not math.isfinite(span):
        return 1.0
    raw = span / max(about, 1)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    return next(step * magnitude for step in NICE_STEPS if step * magnitude >= raw * (1 - 1e-9))


def nice_top(highest: float, about: int = 6) -> float:
    """The round end of a scale from zero that holds ``highest``; the same for its own answer."""
    if highest <= 0 or not math.isfinite(highest):
        return 1.0
    step = nice_step(highest, about)
    return step * math.ceil(highest / step * (1 - 1e-9))


def nice_range(values: Sequence[float], about: int = 4) -> tuple[float, float]:
    """Round ends around ``values``, for points on a cut scale; equal values get room on both sides."""
    low, high = min(values), max(values)
    if high - low <= abs(high) * 1e-9:
        room = abs(high) * 0.02 or 1.0
        low, high = low - room, high + room
    step = nice_step(high - low, about)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def ticks(floor: float, ceiling: float, about: int = 4) -> list[float]:
    """Round values from ``floor`` to ``ceiling``, both included when they are round."""
    step = nice_step(ceiling - floor, about)
    first, last = math.ceil(floor / step - 1e-9), math.floor(ceiling / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def tick_text(value: float, values: Sequence[float]) -> str:
    """A tick with the decimals its neighbours need, so that no two ticks read the same."""
    gaps = [abs(b - a) for a, b in pairwise(values) if b != a]
    smallest = min(gaps, default=abs(value) or 1.0)
    places = 0
    while places < 6 and abs(smallest * 10**places - round(smallest * 10**places)) > 1e-6:
        places += 1
    return number(float(value), places)
