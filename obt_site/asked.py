"""A page's query string, read word by word: what makes no sense is named and left out, never an error page.

Every page that filters reads its address through `Asked`, so that all of them say alike what they did not understand,
and so that an address built from another keeps what that one said.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import TypeVar
from urllib.parse import urlencode

from bson import ObjectId
from django.http import QueryDict

from obt_site.text import one_line

LONGEST = 200  # characters of a value
LONGEST_SHOWN = 40  # of a value that is named as not understood
MOST_VALUES = 200  # of one name
T = TypeVar("T")


class Asked:
    """Reads names one by one. `ignored` holds a sentence for each thing that was left out."""

    def __init__(self, query: QueryDict) -> None:
        self._query = query
        self._kept: dict[str, list[str]] = {}
        self._ignored: list[str] = []
        self._read: set[str] = set()

    @property
    def ignored(self) -> list[str]:
        """What was left out and why, also names that the page has never heard of. Ask after reading."""
        strangers = [key for key in self._query if key not in self._read and key != "csrfmiddlewaretoken"]
        return self._ignored + [f"“{_brief(key)}”: this page has no such filter." for key in strangers[:5]]

    def knows(self, *names: str) -> None:
        """Names that the page reads in another way."""
        self._read.update(names)

    def text(self, name: str, longest: int = LONGEST) -> str | None:
        """The value without space around it; None when it is absent or empty."""
        values = self.texts(name, longest, most=1)
        return values[0] if values else None

    def texts(self, name: str, longest: int = LONGEST, most: int = MOST_VALUES) -> list[str]:
        """All values of a name that may be there more than once, each once."""
        self._read.add(name)
        values = list(dict.fromkeys(value for each in self._query.getlist(name) if (value := each.strip())))
        kept = [value for value in values if len(value) <= longest and "\x00" not in value]
        if len(kept) < len(values):
            self._ignored.append(f"“{name}”: a value has at most {longest} characters.")
        if len(kept) > most:
            self._ignored.append(f"“{name}”: only {most} of {len(kept)} values are used.")
        if kept[:most]:
            self._kept[name] = kept[:most]
        return kept[:most]

    def choice(self, name: str, choices: Mapping[str, T], otherwise: T) -> T:
        """The value among `choices`; `otherwise` when it is absent or none of them."""
        value = self.text(name)
        if value is None:
            return otherwise
        if value not in choices:
            return self._leave_out(name, value, f"is none of {', '.join(choices)}", otherwise)
        return choices[value]

    def choices(self, name: str, choices: Iterable[str]) -> list[str]:
        """Those of its values that are among `choices`."""
        known = list(choices)
        values = self.texts(name)
        for value in values:
            if value not in known:
                self._ignored.append(f"“{name}”: “{_brief(value)}” is none of {', '.join(known)}.")
        good = [value for value in values if value in known]
        self._keep(name, good)
        return good

    def object_id(self, name: str) -> str | None:
        """An id as it stands in addresses, or None."""
        value = self.text(name)
        if value is not None and not ObjectId.is_valid(value):
            return self._leave_out(name, value, "is no id", None)
        return value

    def object_ids(self, name: str) -> list[str]:
        """All ids of a name that may be there more than once."""
        values = self.texts(name)
        for value in values:
            if not ObjectId.is_valid(value):
                self._ignored.append(f"“{name}”: “{_brief(value)}” is no id.")
        good = [value for value in values if ObjectId.is_valid(value)]
        self._keep(name, good)
        return good

    def number(self, name: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`, or None."""
        value = self.text(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdecimal() and len(value) < 20 and low <= int(value) <= high):
            return self._leave_out(name, value, f"is no whole number from {low} to {high}", None)
        return int(value)

    def day(self, name: str) -> datetime | None:
        """The start of a day, in UTC; None when it is absent or none."""
        text = self.text(name)
        if text is None:
            return None
        try:
            found = date.fromisoformat(text)
        except ValueError:
            found = None
        if found is None or not 1970 <= found.year <= 9000:
            self.drop(name, "is no day, like 2026-11-22")
            return None
        return datetime.combine(found, time(), UTC)

    def flag(self, name: str) -> bool:
        """Whether the name is there with the value 1."""
        return self.choice(name, {"1": True, "0": False}, False)

    def drop(self, name: str, why: str) -> None:
        """Leave out what was read, because of something only the page knows: `is no cell of these results`."""
        for value in self._kept.pop(name, [])[:1]:
            self._ignored.append(f"“{name}”: “{_brief(value)}” {why}.")

    def leave_out(self, sentence: str) -> None:
        """Say that something of the query was left out which only the page understands."""
        self._ignored.append(sentence)

    def url(self, **changes: str | Iterable[str] | None) -> str:
        """An address with what was understood and these changes; None takes a name away."""
        kept = {**self._kept}
        for name, value in changes.items():
            kept.pop(name, None)
            if value is not None:
                kept[name] = [value] if isinstance(value, str) else list(value)
        return f"?{urlencode(kept, doseq=True)}"

    def without(self, name: str, value: str) -> str:
        """The address without one value of a name that has several."""
        return self.url(**{name: [each for each in self._kept.get(name, []) if each != value]})

    def _leave_out(self, name: str, value: str, why: str, otherwise: T) -> T:
        self._kept.pop(name, None)
        self._ignored.append(f"“{name}”: “{_brief(value)}” {why}.")
        return otherwise

    def _keep(self, name: str, values: list[str]) -> None:
        self._kept.pop(name, None)
        if values:
            self._kept[name] = values


def _brief(value: str) -> str:
    value = one_line(value)
    return value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}…"
