"""What the owner of this machine lets OBT do on it: a file on the machine that no server can override.

`policy.ini` in the state folder, or the file that `--policy` names; `docs/machine-policy.md` has every key. Without a
file everything is allowed. With one that cannot be used nothing is: an owner who wrote a policy meant something by it.
The file is looked at again before each use, so that a change holds at once.
"""

from __future__ import annotations

import configparser
import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Optional

from .errors import AgentError

FILE = "policy.ini"
SECTION = "policy"
KEYS = frozenset(
    ("models", "not_models", "largest_model", "hours", "may_pull", "may_delete", "most_disk", "nice", "on_battery")
)
LARGEST_FILE_BYTES = 64 * 1024
LEAST_DISK_BYTES = 100 * 1000**2  # what the agent keeps for its own results, and some
MOST_NICE = 19
MINUTES_OF_DAY = 24 * 60
UNITS = {"": 1, "b": 1, **{f"{letter}b": 1000**n for n, letter in enumerate("kmgt", 1)}}
UNITS.update({f"{letter}ib": 1024**n for n, letter in enumerate("kmgt", 1)})
ANSWERS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
CHANGED_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class PolicyError(AgentError):
    """The file cannot be used; the sentence says why."""


class Hours(NamedTuple):
    """A stretch of the day in minutes since midnight, local time; over midnight when it ends before it begins."""

    begin: int
    end: int

    def has(self, minute: int) -> bool:
        """Whether it is within; the last minute is not."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return f"{clock(self.begin)} to {clock(self.end)}"


@dataclass(frozen=True)
class Policy:
    """What the file says; the defaults are what holds without it. Sizes in bytes."""

    models: tuple[str, ...] = ()  # name patterns; empty: all
    not_models: tuple[str, ...] = ()
    largest_model: Optional[int] = None
    hours: tuple[Hours, ...] = ()  # empty: always
    may_pull: bool = True
    may_delete: bool = True
    most_disk: Optional[int] = None
    nice: Optional[int] = None
    on_battery: bool = True

    def refuses(self, model: str, size_bytes: Optional[int]) -> Optional[str]:
        """Why this model may never run here; None when it may. `model` is its full name."""
        if any(matches(pattern, model) for pattern in self.not_models):
            return f"The policy of the machine does not let {model} run."
        if self.models and not any(matches(pattern, model) for pattern in self.models):
            return f"The policy of the machine does not let {model} run: it allows {', '.join(self.models)}."
        if self.largest_model is None:
            return None
        limit = f"The policy of the machine lets no model over {size(self.largest_model)} run"
        if size_bytes is None:
            return f"{limit}, and the size of {model} is not known."
        return f"{limit}; {model} has {size(size_bytes)}." if size_bytes > self.largest_model else None

    def waits(self, minute: int) -> Optional[str]:
        """Until when no job may begin at this minute of the day; None when one may."""
        if not self.hours or any(hours.has(minute) for hours in self.hours):
            return None
        begin = min((hours.begin for hours in self.hours), key=lambda begin: (begin - minute) % MINUTES_OF_DAY)
        spans = " and ".join(str(hours) for hours in self.hours)
        return f"It waits until {clock(begin)}: jobs run from {spans} only (policy of the machine)."

    def in_words(self) -> Iterator[str]:
        """What it allows, a sentence for each thing it says something about."""
        if self.models:
            yield f"Only these models run: {', '.join(self.models)}."
        if self.not_models:
            yield f"These models do not run: {', '.join(self.not_models)}."
        if self.largest_model is not None:
            yield f"No model over {size(self.largest_model)} runs."
        if self.hours:
            yield f"Jobs run from {' and '.join(str(hours) for hours in self.hours)} only, by this machine's clock."
        if not self.on_battery:
            yield "No job begins on the battery."
        if self.most_disk is not None:
            yield f"The agent's own files take at most {size(self.most_disk)}."
        if self.nice is not None:
            yield f"The agent runs with the nice level {self.nice}."
        pull, delete = ("" if may else "not " for may in (self.may_pull, self.may_delete))
        yield f"Models may {pull}be pulled and may {delete}be deleted."


def matches(pattern: str, model: str) -> bool:
    """Whether a name pattern means the model: `*` and `?` stand for anything, case does not count.

    One without a colon means every tag of the names it fits.
    """
    name = model.lower()
    if ":" not in pattern.rsplit("/", 1)[-1]:
        name = name.rsplit(":", 1)[0]
    return fnmatch.fnmatchcase(name, pattern.lower())


def read(path: Path) -> Policy:
    """The policy in this file. Raises PolicyError when it cannot be used, FileNotFoundError when it is not there."""
    try:
        text = _owners_text(path)
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"cannot be read ({getattr(error, 'strerror', None) or 'it is not UTF-8'})") from None
    return parse(text)


def _owners_text(path: Path) -> str:
    """The content of a file that only this user or root can change, read from the very file that was looked at."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise PolicyError("is no ordinary file")
        if os.name != "nt" and found.st_uid not in (0, os.getuid()):
            raise PolicyError("belongs to another user of this machine")
        if os.name != "nt" and found.st_mode & CHANGED_BY_OTHERS:
            raise PolicyError(f"can be changed by other users of this machine; chmod 600 {path}")
        content = file.read(LARGEST_FILE_BYTES + 1)
    if len(content) > LARGEST_FILE_BYTES:
        raise PolicyError(f"has more than {LARGEST_FILE_BYTES // 1024} kB")
    return content.decode("utf-8-sig")


def parse(text: str) -> Policy:
    """The policy that the text of a file states. Raises PolicyError; a key it does not know is one, too."""
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"), default_section="\0"
    )
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise PolicyError(" ".join(f"cannot be understood: {error.message}".split())[:300]) from None
    if parser.sections() != [SECTION]:
        raise PolicyError(f"needs one section, [{SECTION}], and no other")
    given = dict(parser[SECTION])
    unknown = sorted(set(given) - KEYS)
    if unknown:
        raise PolicyError(f"has a key that is not known, {unknown[0][:60]!r}; there are {', '.join(sorted(KEYS))}")
    return Policy(
        models=_patterns("models", given),
        not_models=_patterns("not_models", given),
        largest_model=_size("largest_model", given),
        hours=_hours(given),
        may_pull=_yes("may_pull", given),
        may_delete=_yes("may_delete", given),
        most_disk=_disk(given),
        nice=_nice(given),
        on_battery=_yes("on_battery", given),
    )


def _patterns(key: str, given: dict[str, str]) -> tuple[str, ...]:
    if key not in given:
        return ()
    found = tuple(each for each in re.split(r"[,\s]+", given[key]) if each)
    if not found:
        raise PolicyError(f"has no name in {key}; leave the key out, or write names with commas")
    return found


def _size(key: str, given: dict[str, str]) -> Optional[int]:
    if key not in given:
        return None
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,3})?)\s*([a-z]*)", given[key].strip().lower())
    if not match or match[2] not in UNITS:
        raise PolicyError(f"has {given[key][:60]!r} in {key}, which is no size such as 20 GB")
    return int(float(match[1]) * UNITS[match[2]])


def _disk(given: dict[str, str]) -> Optional[int]:
    most = _size("most_disk", given)
    if most is not None and most < LEAST_DISK_BYTES:
        raise PolicyError(f"has {given['most_disk'][:60]!r} in most_disk; the agent needs {size(LEAST_DISK_BYTES)}")
    return most


def _hours(given: dict[str, str]) -> tuple[Hours, ...]:
    if "hours" not in given:
        return ()
    return tuple(_span(each.strip()) for each in given["hours"].split(","))


def _span(text: str) -> Hours:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)\s*[-–]\s*([01]?\d|2[0-4]):([0-5]\d)", text)
    begin, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if begin == end or end > MINUTES_OF_DAY:
        raise PolicyError(f"has {text[:60]!r} in hours, which is no stretch of the day such as 22:00-06:00")
    return Hours(begin, end)


def _yes(key: str, given: dict[str, str]) -> bool:
    word = given.get(key, "yes").strip().lower()
    if word not in ANSWERS:
        raise PolicyError(f"has {given[key][:60]!r} in {key}, which has to be yes or no")
    return ANSWERS[word]


def _nice(given: dict[str, str]) -> Optional[int]:
    if "nice" not in given:
        return None
    text = given["nice"].strip()
    if not re.fullmatch(r"[0-9]{1,2}", text) or int(text) > MOST_NICE:
        raise PolicyError(f"has {text[:60]!r} in nice, which has to be a number from 0 to {MOST_NICE}")
    return int(text)


def clock(minute: int) -> str:
    """`22:00`"""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def size(count: int) -> str:
    """`20 GB`, `1.5 GB`, `300 MB`: bytes as people write them in the file."""
    for unit, factor in (("TB", 1000**4), ("GB", 1000**3), ("MB", 1000**2), ("kB", 1000)):
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} B"
