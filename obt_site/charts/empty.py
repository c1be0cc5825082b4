"""Pictures of nothing: a hatched field that says why there is no data."""

from __future__ import annotations

from django.utils.safestring import SafeString

from obt_site.charts.svg import el

NO_REASON = "No data was recorded."


def hatch(label: str = "") -> SafeString:
    """A hatched field that fills its cell: nothing can be drawn here. The reason belongs beside it, or in ``label``."""
    rect = el("rect", {"width": "100%", "height": "100%", "fill": "url(#hx)"})
    spoken = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    return el("svg", {**spoken}, el("title", {}, label) if label else "", rect)


def empty_picture(reason: str) -> SafeString:
    """A whole chart's place, hatched, with the reason in words."""
    return el("div", {"class": "void"}, hatch(), el("span", {}, reason or NO_REASON))
