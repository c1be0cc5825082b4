"""Taking a change back: by the verb that makes such changes, and only while things are as the change left them.

What has no way back here (a removal, a merge, a deletion) has none. The way back is a change like any other, and is
written down as one that says which it took back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agents import verbs
from benchmarks import fixes, results, sessions
from obt_site import audit, token_names
from obt_site.audit import AuditEntry
from obt_site.errors import Conflict, NotFound

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """`now` reads, by the thing's id, what an entry keeps of it; `back` makes it so again."""

    now: Callable[[str], Values]
    back: Callable[[str, Values], object]


def _name_again(client: str, values: Values) -> object:
    return verbs.rename(verbs.find(client), values["name"])


def _label_again(client: str, values: Values) -> object:
    return verbs.set_labels(verbs.find(client), values["labels"])


def _pause_again(client: str, values: Values) -> object:
    return verbs.set_paused(verbs.find(client), values["paused"])


def _describe_again(session: str, values: Values) -> object:
    return fixes.describe(sessions.find(session), values["name"], values["note"] or "")


def _words_of(session: str) -> Values:
    found = sessions.find(session)
    return {"name": found.name, "note": found.note}


def _exclude_again(result: str, values: Values) -> object:
    found, reason = results.find(result), values["excluded"]
    return fixes.include(found) if reason is None else fixes.exclude(found, reason)


def _mark_again(result: str, values: Values) -> object:
    found, reason = results.find(result), values["marked_invalid"]
    return fixes.unmark_invalid(found) if reason is None else fixes.mark_invalid(found, reason)


_PAUSE = Way(lambda client: {"paused": verbs.find(client).paused}, _pause_again)
_EXCLUSION = Way(lambda result: fixes.remark(results.find(result), "excluded"), _exclude_again)
_MARK = Way(lambda result: fixes.remark(results.find(result), "marked_invalid"), _mark_again)
WAYS: Mapping[str, Way] = {
    "machine.rename": Way(lambda client: {"name": verbs.find(client).name}, _name_again),
    "machine.label": Way(lambda client: {"labels": list(verbs.find(client).labels)}, _label_again),
    "machine.pause": _PAUSE,
    "machine.resume": _PAUSE,
    "session.edit": Way(_words_of, _describe_again),
    "token.rename": Way(
        lambda token: {"name": token_names.find(token).name},
        lambda token, values: token_names.rename(token_names.find(token), values["name"]),
    ),
    "result.exclude": _EXCLUSION,
    "result.include": _EXCLUSION,
    "result.invalidate": _MARK,
    "result.unmark": _MARK,
}


def why_not(entry: AuditEntry) -> str | None:
    """Why this change cannot be taken back; None when it can."""
    way = WAYS.get(entry.action)
    if way is None:
        return "A change of this kind has no way back."
    try:
        now = way.now(entry.about_id)
    except NotFound as gone:
        return gone.detail
    if dict(now) != dict(entry.after):
        if dict(now) == dict(entry.before):
            return "It is as it was before this change already."
        return "It has been changed again since; what it is now would be lost. Change it where it is shown."
    return None


def undo(entry: AuditEntry) -> None:
    """Make it as it was before this change. Raises Conflict with a sentence where that is not possible any more."""
    refused = why_not(entry)
    if refused is not None:
        raise Conflict(refused)
    with audit.undoing(entry.number):
        WAYS[entry.action].back(entry.about_id, entry.before)
