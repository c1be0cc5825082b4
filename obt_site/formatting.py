"""Numbers, times and names as text for people.

Pure functions: plain values in, plain text out (nothing is HTML here, the template tags escape).  A value that is
missing, not finite or not a number is :data:`MISSING`, never zero.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

MISSING = "—"
THIN_SPACE = "\u2009"
MINUS = "−"
EN_DASH = "–"
ELLIPSIS = "…"

FEWEST_FOR_INTERVAL_N = 6
"""Below this many samples min–max does not cover the median with 95 %: it is a range, not an interval."""

LARGEST_MEASURABLE = 1e30
"""Beyond this a number is an error, and scales made from it would overflow."""

SHORT_DIGEST_CHARS = 12
NAME_CHARS = 40

# Instruments that do not resolve more than one part of their unit: a decimal would be invented.
WHOLE_UNITS = frozenset({"%", "W", "°C", "MHz", "rpm"})
# Rates are compared at 1 %: they keep one decimal up to a thousand, everything else three significant digits.
RATE_UNITS = frozenset({"tok/s", "items/s", "req/s"})

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400


def finite(value: object) -> float | None:
    """``value`` as a float, or ``None`` when it is missing, not a number, not finite, or too large to be measured."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if abs(as_float) <= LARGEST_MEASURABLE else None


def decimals_for(value: float, unit: str = "") -> int:
    """How many decimals a value in ``unit`` is shown with: 127.4 tok/s, 5 182 tok/s, 131 ms, 2.84 s, 97 %."""
    size = abs(value)
    if unit in WHOLE_UNITS or size >= 999.95:
        return 0
    if size >= 99.95:
        return 1 if unit in RATE_UNITS else 0
    if size >= 9.995 or size == 0:
        return 1
    if size >= 0.9995:
        return 2
    return min(2 - math.floor(math.log10(size)), 6)


def number(value: object, decimals: int | None = None, unit: str = "") -> str:
    """A number with thin spaces between thousands and a true minus sign; ``MISSING`` when there is none."""
    known = finite(value)
    if known is None:
        return MISSING
    places = (0 if isinstance(value, int) else decimals_for(known, unit)) if decimals is None else decimals
    text = f"{abs(known):,.{places}f}".replace(",", THIN_SPACE)
    is_shown_negative = known < 0 and any(digit in text for digit in "123456789")
    return f"{MINUS}{text}" if is_shown_negative else text


def measured(value: object, unit: str = "") -> str:
    """A measured value without its unit, with the digits its unit deserves (an int is rounded like a float)."""
    known = finite(value)
    return MISSING if known is None else number(known, decimals_for(known, unit))


def interval(low: object, high: object, n: int | None = None, unit: str = "") -> str:
    """``126.1–128.3``; with fewer than six samples ``range 2.74–2.97``, because it is no 95 % interval."""
    from_, to = finite(low), finite(high)
    if from_ is None or to is None:
        return MISSING
    places = max(decimals_for(from_, unit), decimals_for(to, unit))
    text = f"{number(from_, places)}{EN_DASH}{number(to, places)}"
    return f"range {text}" if is_only_a_range(n) else text


def is_only_a_range(n: int | None) -> bool:
    """Whether low–high of ``n`` samples may not be called a 95 % interval."""
    return n is not None and n < FEWEST_FOR_INTERVAL_N


def half_width(low: object, high: object, unit: str = "") -> str:
    """``±1.1``: half of an interval, for places too narrow for both ends."""
    from_, to = finite(low), finite(high)
    if from_ is None or to is None:
        return MISSING
    return f"±{number((to - from_) / 2, decimals_for(to, unit))}"


def _scaled(size: float, step: int, units: tuple[str, ...]) -> tuple[str, str]:
    power = 0
    while abs(size) >= step and power < len(units) - 1:
        size /= step
        power += 1
    return (number(size, 0 if power == 0 else decimals_for(size)), units[power])


def filesize(size_bytes: object) -> tuple[str, str]:
    """Value and unit in powers of 1000, as Ollama lists models: ``("4.92", "GB")``."""
    known = finite(size_bytes)
    return (MISSING, "") if known is None else _scaled(known, 1000, _SIZE_UNITS)


def memory(size_bytes: object) -> tuple[str, str]:
    """Value and unit of main or GPU memory, counted in powers of 1024 as makers and task managers do, who call it GB:
    a card sold with 24 GB is ``("24.0", "GB")``. Why not GiB: docs/decisions.md."""
    known = finite(size_bytes)
    return (MISSING, "") if known is None else _scaled(known, 1024, _SIZE_UNITS)


def capacity(size_bytes: object) -> str:
    """The whole of a memory, without decimals that say nothing: ``24 GB``, ``23.6 GB``."""
    value, unit = memory(size_bytes)
    return f"{value.removesuffix('.0').removesuffix('.00')} {unit}".strip()


def _plural_free(parts: list[tuple[int, str]]) -> str:
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def duration(seconds: object) -> str:
    """Seconds in words: ``131 ms``, ``2.84 s``, ``3 min 20 s``, ``37 min``, ``1 h 02 min``, ``3 d 4 h``."""
    known = finite(seconds)
    if known is None:
        return MISSING
    size, sign = abs(known), MINUS if known < 0 else ""
    if size == 0:
        return "0 s"
    if size < 1:
        return f"{sign}{measured(size * 1000, 'ms')} ms"
    if size < _MINUTE_S - 0.5:
        return f"{sign}{measured(size, 's')} s"
    return sign + _long_duration(round(size))


def _long_duration(whole_s: int) -> str:
    if whole_s < 10 * _MINUTE_S:
        return _plural_free([(whole_s // _MINUTE_S, "min"), (whole_s % _MINUTE_S, "s")])
    whole_min = round(whole_s / _MINUTE_S)
    if whole_min < _MINUTE_S:
        return f"{whole_min} min"
    if whole_min < _DAY_S // _MINUTE_S:
        return f"{whole_min // 60} h {whole_min % 60:02d} min"
    whole_h = round(whole_s / _HOUR_S)
    return _plural_free([(whole_h // 24, "d"), (whole_h % 24, "h")])


def aware(when: datetime) -> datetime:
    """The same moment in UTC; the database hands out naive times that mean UTC."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def iso(when: datetime) -> str:
    """RFC 3339 in UTC to the millisecond, for ``<time datetime>``."""
    return aware(when).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def relative(when: datetime, now: datetime) -> str:
    """``just now``, ``20 s ago``, ``5 min ago``, ``in 2 min``, ``3 h ago``, ``4 d ago``; rounded down, one unit."""
    ahead_s = (aware(when) - aware(now)).total_seconds()
    size_s = abs(ahead_s)
    if size_s < 5:
        return "just now"
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min"), (1, "s")):
        if size_s >= unit_s:
            text = f"{int(size_s // unit_s)} {unit}"
            break
    return f"in {text}" if ahead_s > 0 else f"{text} ago"


def moment(when: datetime) -> str:
    """The exact time in words, in UTC: ``22 Nov 2025, 14:09:05 UTC``."""
    at = aware(when)
    return f"{at.day} {at:%b %Y, %H:%M:%S} UTC"


def clock(when: datetime, seconds: bool = False) -> str:
    """Time of day in UTC, saying so: ``14:09 UTC``."""
    return f"{aware(when):{'%H:%M:%S' if seconds else '%H:%M'}} UTC"


def short_digest(digest: object) -> str:
    """The first twelve characters of a digest, without its ``sha256:``."""
    if not isinstance(digest, str) or not digest.strip():
        return MISSING
    return digest.strip().rpartition(":")[2][:SHORT_DIGEST_CHARS]


def cut_middle(text: object, length: int = NAME_CHARS) -> str:
    """A long name cut in its middle, since the tag at the end tells models apart; never longer than ``length``."""
    whole = str(text)
    if len(whole) <= length or length < 3:
        return whole
    tail = (length - 1) // 2
    return f"{whole[: length - 1 - tail]}{ELLIPSIS}{whole[-tail:]}"
