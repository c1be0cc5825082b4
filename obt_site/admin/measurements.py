"""Sessions, jobs and results in the admin. Numbers are read here, never typed."""

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from django.urls import reverse

from benchmarks import deleting, fixes, lifecycle, listing, rederive, results, sessions
from benchmarks.api import cursors
from benchmarks.documents import Job, Result, Session
from benchmarks.lifecycle import State
from obt_site.admin.documents import (
    PAGE,
    Action,
    Asked,
    Column,
    DocumentAdmin,
    Filter,
    Input,
    Page,
    deleted,
    has,
)
from obt_site.admin.machines import machine_choices

REASON = Input("reason", "Why", "Others will wonder; it is shown with the result.", fixes.REASON_LENGTH)
SESSION_STATES = [(state, state.capitalize()) for state in ("queued", "running", "succeeded", "failed", "cancelled")]
JOB_STATES = [(state.value, state.value.replace("_", " ").capitalize()) for state in State]
VALID = [("true", "Valid"), ("false", "Not valid")]
EXCLUDED = [("only", "Only those excluded"), ("no", "Without them")]
MOST_SESSIONS = 200  # that one page of jobs looks through


class Sessions(DocumentAdmin[Session]):
    """Name and note may be corrected; a session deleted with its jobs and results."""

    document, slug, name, plural = Session, "sessions", "session", "Sessions"
    about = "What people asked for. State and counts follow from the jobs."
    search_help = "name or who asked for it"
    may_be_corrected = True

    def columns(self) -> Sequence[Column[Session]]:
        return (
            Column("Session", lambda one: f"#{one.number} {one.name}"),
            Column("State", lambda one: one.state),
            Column("Jobs", lambda one: sum(one.counts.values())),
            Column("Asked for by", lambda one: one.created_by),
            Column("When", lambda one: one.created_at),
            Column("Ended", lambda one: one.finished_at),
        )

    def filters(self) -> Sequence[Filter]:
        return (Filter("state", "State", lambda: SESSION_STATES),)

    def page(self, asked: Asked) -> Page[Session]:
        state = asked.value("state")

        def keep(found: Mapping[str, Any]) -> bool:
            if state and found["state"] != state:
                return False
            return has(asked.search, found["name"], found.get("created_by"), f"#{found['number']}")

        page = listing.numbered(Session, "sessions", {}, keep, cursors.number_of(asked.cursor), PAGE)
        return Page(page.items, cursors.after_number(page.next))

    def find(self, identity: str) -> Session:
        return sessions.find(identity)

    def url(self, document: Session) -> str | None:
        return reverse("session", args=[document.id])

    def inputs(self, document: Session) -> Sequence[Input]:
        return (
            Input("name", "Name", longest=sessions.NAME_LENGTH),
            Input("note", "Note", longest=sessions.NOTE_LENGTH, lines=True),
        )

    def values(self, document: Session) -> Mapping[str, str]:
        return {"name": document.name, "note": document.note or ""}

    def correct(self, document: Session, values: Mapping[str, str]) -> None:
        fixes.describe(document, values["name"], values["note"])

    def actions(self) -> Sequence[Action[Session]]:
        return (
            Action(
                "delete", "Delete…",
                "The session goes with its jobs, their results, samples and telemetry. Events and the audit stay. This "
                "cannot be undone.",
                lambda one, typed: deleted(deleting.carry_out(deleting.of_session(one))),
                lambda one: deleting.of_session(one).counts, destroys=True, leaves=True,
            ),
        )  # fmt: skip


class Jobs(DocumentAdmin[Job]):
    """A job that did not succeed may be queued again; a job deleted with its results."""

    document, slug, name, plural = Job, "jobs", "job", "Jobs"
    about = "One model on one machine in a session, those of the newest session first."
    search_help = "model, machine or result"

    def columns(self) -> Sequence[Column[Job]]:
        return (
            Column("Model", lambda one: one.model),
            Column("Machine", lambda one: one.client_name),
            Column("State", lambda one: one.state),
            Column("Attempt", lambda one: one.attempt),
            Column("Error", lambda one: (one.error or {}).get("message")),
            Column("Result", lambda one: one.result),
            Column("Asked for", lambda one: one.created_at),
            Column("Ended", lambda one: one.finished_at),
        )

    def filters(self) -> Sequence[Filter]:
        return (Filter("state", "State", lambda: JOB_STATES), Filter("machine", "Machine", machine_choices))

    def page(self, asked: Asked) -> Page[Job]:
        """Session by session, since jobs have no number of their own: the cursor is a session's number and a place."""
        state, machine = asked.value("state"), asked.value("machine")

        def keep(one: Job) -> bool:
            is_asked = (not state or one.state == state) and (not machine or str(one.client) == machine)
            return is_asked and has(asked.search, one.model, one.client_name, one.result)

        number, place = _place(asked.cursor)
        found: list[tuple[int, Job]] = []
        page = listing.sessions(None if number is None else number + 1, MOST_SESSIONS)
        for session in page.items:
            after = place if session.number == number else -1
            jobs = [job for job in sessions.jobs_of(session) if job.position > after and keep(job)]
            found += [(session.number, job) for job in jobs]
            if len(found) > PAGE:
                break
        shown = [job for _, job in found[:PAGE]]
        if len(found) > PAGE:
            return Page(shown, cursors.encode(found[PAGE - 1][0], found[PAGE - 1][1].position))
        return Page(shown, None if page.next is None else cursors.encode(page.next - 1, -1))

    def find(self, identity: str) -> Job:
        return sessions.find_job(identity)

    def title(self, document: Job) -> str:
        return f"{document.model} on {document.client_name or 'a machine'}"

    def url(self, document: Job) -> str | None:
        return reverse("session", args=[document.session])

    def actions(self) -> Sequence[Action[Job]]:
        return (
            Action(
                "requeue", "Queue again…", "It waits for its machine again, as a new attempt.",
                lambda one, typed: f"{sessions.retry_job(one).model} is queued again.",
                is_for=lambda one: State(one.state) in lifecycle.TERMINAL - {State.SUCCEEDED},
            ),
            Action(
                "delete", "Delete…", "The job goes with its results, samples and telemetry. This cannot be undone.",
                lambda one, typed: deleted(deleting.carry_out(deleting.of_job(one))),
                lambda one: deleting.of_job(one).counts, destroys=True, leaves=True,
            ),
        )  # fmt: skip


def _place(cursor: str | None) -> tuple[int | None, int]:
    """The session's number that a page of jobs begins in, and the position after which."""
    if cursor is None:
        return None, -1
    number, position = cursors.decode(cursor, int, int)
    return int(number), int(position)


class Results(DocumentAdmin[Result]):
    """A result may be excluded or marked as not valid, with a reason, and derived anew from its samples."""

    document, slug, name, plural = Result, "results", "result", "Results"
    about = "What was measured. Numbers follow from the raw samples and cannot be typed."
    search_help = "model, machine or id"
    hidden = frozenset({"cells", "environment", "conditions"})  # they are on the result's own page

    def columns(self) -> Sequence[Column[Result]]:
        return (
            Column("Result", lambda one: f"{one.number}"),
            Column("Model", lambda one: one.model),
            Column("Machine", lambda one: one.client_name),
            Column("Session", lambda one: f"#{one.session_number or '?'}"),
            Column("Outcome", lambda one: one.outcome),
            Column("Valid", lambda one: one.valid),
            Column("Excluded", lambda one: (one.excluded or {}).get("reason")),
            Column("Measured", lambda one: one.created_at),
        )

    def filters(self) -> Sequence[Filter]:
        return (
            Filter("excluded", "Excluded", lambda: EXCLUDED),
            Filter("valid", "Valid", lambda: VALID),
            Filter("machine", "Machine", machine_choices),
        )

    def page(self, asked: Asked) -> Page[Result]:
        """Everything that is stored: what is excluded, simulated or failed too, unless the filters say otherwise."""
        valid, machine, excluded = asked.value("valid"), asked.value("machine"), asked.value("excluded")

        def keep(found: Mapping[str, Any]) -> bool:
            if valid and bool(found.get("valid")) != (valid == "true"):
                return False
            if excluded and bool(found.get("excluded")) != (excluded == "only"):
                return False
            return has(asked.search, found["model"], found.get("client_name"), found["_id"])

        equal = {"client": ObjectId(machine)} if machine and ObjectId.is_valid(machine) else {}
        page = listing.numbered(Result, "results", equal, keep, cursors.number_of(asked.cursor), PAGE)
        return Page(page.items, cursors.after_number(page.next))

    def find(self, identity: str) -> Result:
        return results.find(identity)

    def title(self, document: Result) -> str:
        return f"{document.model} on {document.client_name or 'a machine'}, result {document.number}"

    def url(self, document: Result) -> str | None:
        return reverse("result", args=[document.id])

    def actions(self) -> Sequence[Action[Result]]:
        return (
            Action(
                "exclude", "Exclude from results…",
                "It stays, with a mark. Lists, comparisons, history and exports leave it out unless they are asked for "
                "it. The audit has a way back.",
                lambda one, typed: f"Excluded: {fixes.exclude(one, typed['reason']).id}.",
                inputs=lambda one: (REASON,), is_for=lambda one: not one.excluded,
            ),
            Action(
                "include", "Include again…", "Lists, comparisons, history and exports have it again.",
                lambda one, typed: f"Among the results again: {fixes.include(one).id}.",
                is_for=lambda one: bool(one.excluded),
            ),
            Action(
                "invalidate", "Mark as not valid…",
                "It stays in lists as a result that does not count: no leaderboard and no forecast reads it.",
                lambda one, typed: f"Marked as not valid: {fixes.mark_invalid(one, typed['reason']).id}.",
                inputs=lambda one: (REASON,), is_for=lambda one: not one.marked_invalid,
            ),
            Action(
                "unmark", "Take the mark back…", "It is valid again if its samples are.",
                lambda one, typed: f"Judged by its samples again: {fixes.unmark_invalid(one).id}.",
                is_for=lambda one: bool(one.marked_invalid),
            ),
            Action(
                "rederive", "Derive anew…",
                "All its numbers are worked out again from the raw samples, by the formulas of this version. The "
                "samples stay as they are.",
                lambda one, typed: f"Derived anew: {rederive.rederive(one)} cells have other numbers now.",
                lambda one: {"cells whose numbers would change": len(rederive.derived(one).after)},
            ),
            Action(
                "delete", "Delete…", "The result goes with its samples and telemetry. This cannot be undone.",
                lambda one, typed: deleted(deleting.carry_out(deleting.of_result(one))),
                lambda one: deleting.of_result(one).counts, destroys=True, leaves=True,
            ),
        )  # fmt: skip
