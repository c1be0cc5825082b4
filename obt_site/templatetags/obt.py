"""``{% load obt %}``: numbers, times, states, icons and pictures for the templates.

Thin wrappers: what a number looks like is in :mod:`obt_site.formatting`, what a picture looks like in
:mod:`obt_site.charts`.  Values come in as plain numbers; ``None`` shows as "—" with its reason on hover.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from obt_site import assets, charts, formatting
from obt_site.states import look_of

register = template.Library()

NO_REASON = "not measured"

STYLESHEETS = (
    "tokens", "base", "topbar", "page", "buttons", "fields", "state", "table", "figures", "chart", "chart-tools",
    "notice", "headline", "tabs", "matrix", "lanes", "fleet", "home", "results", "result", "report", "plan",
    "overlay", "auth", "compare", "history", "telemetry", "api", "habits", "audit",
)  # fmt: skip
"""Every stylesheet, in the order of the cascade: one file per component."""


@register.simple_tag
def asset(path: str) -> str:
    """``{% asset "js/x.js" %}``: its hashed address; plain for a file that is not there, so that no page fails."""
    found = assets.shelf(STYLESHEETS).by_path.get(path)
    return f"{settings.STATIC_URL}{found.name if found else path}"


@register.simple_tag
def stylesheets() -> SafeString:
    """``{% stylesheets %}``: all components as one file."""
    return format_html('<link rel="stylesheet" href="{}">', asset(assets.STYLES))


@register.simple_tag
def script(path: str) -> SafeString:
    """``{% script "js/live.js" %}``: a deferred script of our own or from ``vendor/``."""
    return format_html('<script src="{}" defer></script>', asset(path))


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """``{% icon "plus" %}``: a 16 px sign from the sprite; give ``label`` where no word stands beside it."""
    spoken = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html('<svg class="ic" {}><use href="{}#{}"/></svg>', spoken, asset("icons.svg"), name)


# numbers ---------------------------------------------------------------------------------------------------------


def _missing(reason: str) -> SafeString:
    return format_html('<span class="none" title="{}">{}</span>', reason or NO_REASON, formatting.MISSING)


def _value(text: str, unit: str, reason: str) -> SafeString:
    if text == formatting.MISSING:
        return _missing(reason)
    shown_unit = format_html('<span class="u">{}</span>', unit) if unit else SafeString("")
    return format_html('<span class="v">{}</span>{}', text, shown_unit)


@register.filter(name="quantity")
def quantity_filter(value: object, unit: str = "") -> SafeString:
    """``{{ rate|quantity:"tok/s" }}``: value in ink, unit smaller and dimmer."""
    return _value(formatting.measured(value, unit), unit, "")


@register.simple_tag(name="quantity")
def quantity_tag(value: object, unit: str = "", reason: str = "", decimals: int | None = None) -> SafeString:
    """``{% quantity value "W" reason="not readable on this system" %}``; ``decimals`` overrides the unit's habit."""
    text = formatting.measured(value, unit) if decimals is None else formatting.number(value, decimals)
    return _value(text, unit, reason)


@register.filter
def number(value: object, decimals: int | None = None) -> str:
    """``{{ count|number }}``: thin spaces between thousands, true minus; plain text."""
    return formatting.number(value, decimals)


@register.filter
def measured(value: object, unit: str = "") -> str:
    """``{{ rate|measured:"tok/s" }}``: the digits only, for a column whose header has the unit."""
    return formatting.measured(value, unit)


@register.filter
def filesize(size_bytes: object) -> SafeString:
    """``{{ model.size_bytes|filesize }}``: decimal units, as Ollama lists models."""
    return _value(*formatting.filesize(size_bytes), "")


@register.filter
def memory(size_bytes: object) -> SafeString:
    """``{{ gpu.memory_bytes|memory }}``: main or GPU memory, as makers count it."""
    return _value(*formatting.memory(size_bytes), "")


@register.filter
def capacity(size_bytes: object) -> str:
    """``{{ gpu.memory_total_bytes|capacity }}``: ``24 GB``; plain text."""
    return formatting.capacity(size_bytes)


@register.simple_tag
def memory_use(used: object, total: object = None, reason: str = "", of_what: str = "") -> SafeString:
    """``{% memory_use used_bytes total_bytes "not readable" "GPU" %}``: ``11.2 GB of 24 GB GPU``."""
    value = _value(*formatting.memory(used), reason)
    if formatting.finite(total) is None or formatting.finite(used) is None:
        return value
    return format_html('{}<span class="u">of {}</span>', value, f"{formatting.capacity(total)} {of_what}".strip())


@register.filter
def duration(seconds: object) -> str:
    """``{{ seconds|duration }}``: ``2.84 s``, ``37 min``, ``1 h 02 min``; plain text."""
    return formatting.duration(seconds)


@register.filter
def duration_ns(nanoseconds: object) -> str:
    """The same from nanoseconds, as Ollama sends them."""
    known = formatting.finite(nanoseconds)
    return formatting.duration(None if known is None else known / 1e9)


@register.filter
def index(items: Sequence[Any], place: int) -> Any:
    """``{{ columns|index:forloop.counter0 }}``: an item by its place; None beyond the end."""
    return items[place] if 0 <= place < len(items) else None


@register.simple_tag
def interval(low: object, high: object, n: int | None = None, unit: str = "", reason: str = "") -> SafeString:
    """``{% interval low high n unit %}``: ``126.1–128.3``, or ``range …`` with fewer than six samples."""
    text = formatting.interval(low, high, n, unit)
    return _missing(reason) if text == formatting.MISSING else format_html('<span class="iv">{}</span>', text)


@register.simple_tag
def half_width(low: object, high: object, unit: str = "") -> SafeString:
    """``{% half_width low high "tok/s" %}``: ``±1.1`` for a matrix cell."""
    text = formatting.half_width(low, high, unit)
    return SafeString("") if text == formatting.MISSING else format_html('<span class="hw">{}</span>', text)


# times -----------------------------------------------------------------------------------------------------------


def _time(when: object, kind: str, text: Callable[[datetime], str], reason: str = "") -> SafeString:
    """A ``<time>`` in UTC that ``static/js/time.js`` rewrites in the browser's zone, the exact time on hover."""
    if not isinstance(when, datetime):
        return _missing(reason or "no time recorded")
    return format_html(
        '<time datetime="{}" data-time="{}" title="{}">{}</time>',
        formatting.iso(when), kind, formatting.moment(when), text(when),
    )  # fmt: skip


@register.filter
def ago(when: object, reason: str = "") -> SafeString:
    """``{{ client.last_seen_at|ago:"never seen" }}``: ``5 min ago``; kept current by the browser."""
    return _time(when, "relative", lambda at: formatting.relative(at, timezone.now()), reason)


@register.filter
def clock(when: object, reason: str = "") -> SafeString:
    """``{{ at|clock }}``: ``14:09``, in the browser's zone."""
    return _time(when, "clock", formatting.clock, reason)


@register.filter
def clock_s(when: object, reason: str = "") -> SafeString:
    """``{{ at|clock_s }}``: ``14:09:05``, for events."""
    return _time(when, "seconds", lambda at: formatting.clock(at, seconds=True), reason)


@register.filter
def moment(when: object, reason: str = "") -> SafeString:
    """``{{ at|moment }}``: ``today 14:09`` or ``22 Nov 2025, 14:09``."""
    return _time(when, "moment", formatting.moment, reason)


# names -----------------------------------------------------------------------------------------------------------


@register.filter
def digest(value: object) -> SafeString:
    """``{{ model.digest|digest }}``: twelve characters, the whole on hover."""
    short = formatting.short_digest(value)
    if short == formatting.MISSING:
        return _missing("no digest recorded")
    return format_html('<span class="mono" title="{}">{}</span>', value, short)


@register.filter
def shorten(value: object, length: int = formatting.NAME_CHARS) -> SafeString:
    """``{{ model.name|shorten:32 }}``: cut in the middle, the whole on hover, direction marks held inside."""
    whole = str(value)
    short = formatting.cut_middle(whole, length)
    if short == whole:
        return format_html('<bdi class="cut">{}</bdi>', whole)
    return format_html('<bdi class="cut" title="{}">{}</bdi>', whole, short)


@register.filter
def model_name(value: object, length: int = formatting.NAME_CHARS) -> SafeString:
    """``{{ model.name|model_name }}``: the name in ink, its tag dimmer: **llama3.1**:8b."""
    short = formatting.cut_middle(value, length)
    base, colon, tag = short.rpartition(":")
    if not colon:
        return format_html('<bdi class="name" title="{}">{}</bdi>', value, short)
    return format_html(
        '<bdi title="{}"><span class="name">{}</span><span class="tag">:{}</span></bdi>', value, base, tag
    )


@register.filter
def initials(value: object) -> str:
    """Two letters for the person button."""
    words = str(value).replace(".", " ").replace("_", " ").split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


# states ----------------------------------------------------------------------------------------------------------


@register.simple_tag
def state(name: object, word: str = "", shape: str = "", tone: str = "") -> SafeString:
    """``{% state job.state %}``: shape, colour, word. ``word``, ``shape`` and ``tone`` override the table's."""
    look = look_of(name)
    sign = charts.glyph(shape or look.shape, tone or look.tone)
    return format_html('<span class="st">{}{}</span>', sign, word or look.word)


@register.simple_tag
def state_badge(name: object, word: str = "") -> SafeString:
    """``{% state_badge session.state %}``: the same word on a soft fill, for the page title."""
    look = look_of(name)
    tone = "" if look.tone == "dim" else look.tone
    return badge(word or look.word, tone)


@register.simple_tag
def badge(word: str, tone: str = "", title: str = "") -> SafeString:
    """``{% badge "5 left out" "warn" %}``; tones: good, warn, bad, info, acc or none."""
    hover = format_html(' title="{}"', title) if title else ""
    return format_html('<span class="{}"{}>{}</span>', f"badge {tone}".strip(), hover, word)


# pictures --------------------------------------------------------------------------------------------------------

for _name in (
    "glyph", "meter", "share_bar", "sparkline", "whisker", "sample_dots", "progress_bar", "bar_axis", "bar_grid",
    "bar_missing", "result_bar", "hatch", "empty_picture", "samples_chart", "telemetry_panels", "scatter",
    "lane_blocks", "time_axis", "change_axis", "change_grid", "change_missing", "change_row", "history_chart",
):  # fmt: skip
    _picture: Callable[..., Any] = getattr(charts, _name)
    register.simple_tag(_picture, name=_name)


@register.simple_tag
def whisker_around(median: object, low: object, high: object, n: int | None = None, percent: float = 5.0) -> SafeString:
    """``{% whisker_around median low high n %}``: a whisker on the scale median ± ``percent``, for rows of cells."""
    middle = formatting.finite(median)
    room = 0.0 if middle is None else abs(middle) * percent / 100
    floor, ceiling = (None, None) if middle is None or not room else (middle - room, middle + room)
    return charts.whisker(median, low, high, n, floor, ceiling)


@register.inclusion_tag("_headline.html")
def headline(
    label: str, value: object, unit: str = "", low: object = None, high: object = None, n: int | None = None,
    samples: object = (), reason: str = "",
) -> dict[str, object]:  # fmt: skip
    """``{% headline "Decode, tg128" value "tok/s" low high n samples %}``: one of the metrics under a page's head."""
    return {
        "label": label, "value": value, "unit": unit, "low": low, "high": high, "n": n,
        "samples": samples or (), "reason": reason,
    }  # fmt: skip
