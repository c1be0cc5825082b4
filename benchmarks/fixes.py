"""Corrections by hand: what a person says of a result, and the words of a session. Never a measured number.

An excluded result stays and can be looked at; whatever counts, compares or lists leaves it out unless it is asked for.
One that is marked as not valid stays in lists, as a result whose samples did not pass. Both can be taken back.
"""

from typing import Any

from benchmarks import audited, derive, live, numbers, results
from benchmarks.documents import Result, Session
from benchmarks.sessions import NAME_LENGTH, NOTE_LENGTH
from benchmarks.sessions import find as find_session
from obt_site import actor, audit
from obt_site.clock import now
from obt_site.errors import Conflict, FieldError, Invalid
from obt_site.text import lines, one_line

REASON_LENGTH = 500


def exclude(result: Result, reason: str) -> Result:
    """Leave the result out of everything that does not ask for excluded ones. Raises Invalid without a reason."""
    return _say(result, "excluded", reason, "result.exclude", "was excluded from results")


def include(result: Result) -> Result:
    """Take the exclusion back; a Conflict where there is none."""
    return _unsay(result, "excluded", "result.include", "is among the results again", {})


def mark_invalid(result: Result, reason: str) -> Result:
    """Call the result not valid, whatever its samples say. Raises Invalid without a reason."""
    return _say(result, "marked_invalid", reason, "result.invalidate", "was marked as not valid", valid=False)


def unmark_invalid(result: Result) -> Result:
    """Take the mark back: it is valid again if its samples are; a Conflict where there is none."""
    by_samples = {"valid": derive.all_valid(result.cells)}
    return _unsay(result, "marked_invalid", "result.unmark", "is judged by its samples again", by_samples)


def remark(result: Result, field: str) -> dict[str, str | None]:
    """What the audit keeps of an exclusion or a mark: its reason, None where there is none."""
    return {field: (getattr(result, field) or {}).get("reason")}


def describe(session: Session, name: str, note: str) -> Session:
    """Give a session another name and note, at any time. Raises Invalid."""
    title, text = one_line(name), lines(note) or None
    problems = []
    if not title or len(title) > NAME_LENGTH:
        problems.append(FieldError("name", f"A session's name has 1 to {NAME_LENGTH} characters."))
    if len(text or "") > NOTE_LENGTH:
        problems.append(FieldError("note", f"A note has at most {NOTE_LENGTH} characters."))
    if problems:
        raise Invalid(problems[0].message, problems)
    before, after = {"name": session.name, "note": session.note}, {"name": title, "note": text}
    if before != after:
        Session._get_collection().update_one({"_id": session.id}, {"$set": after})
        words = f"#{session.number} {title} has another name or note"
        audit.record("session.edit", words, about=audited.about_session(session), before=before, after=after)
        live.session_changed(session.id)
    return find_session(str(session.id))


def _say(result: Result, field: str, reason: str, action: str, words: str, **with_it: Any) -> Result:
    said = one_line(reason)
    if not said or len(said) > REASON_LENGTH:
        message = f"Say why, in at most {REASON_LENGTH} characters: others will wonder."
        raise Invalid(message, [FieldError("reason", message)])
    before = remark(result, field)
    if before[field] == said:
        return result
    changed = _store(result, {field: {"reason": said, "by": actor.current().name, "at": now()}, **with_it})
    audited.result_changed(action, f"{words}: {said}", result, before, remark(changed, field))
    return changed


def _unsay(result: Result, field: str, action: str, words: str, with_it: dict[str, Any]) -> Result:
    before = remark(result, field)
    if before[field] is None:
        raise Conflict(
            "There is nothing to take back: nobody has said so of this result, or it was taken back already."
        )
    changed = _store(result, {field: None, **with_it})
    audited.result_changed(action, words, result, before, remark(changed, field))
    return changed


def _store(result: Result, changes: dict[str, Any]) -> Result:
    Result._get_collection().update_one({"_id": result.id}, {"$set": changes})
    numbers.renew("results")
    live.session_changed(result.session)
    return results.find(result.id)
