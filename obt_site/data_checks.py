"""What is wrong with what is stored, and what to do about it: orphans, impossible states, missing indexes.

Reads collections whole, a few fields at a time, so it is for the command (`manage.py check_data`) and no page. Only
what loses nothing is mended here: counts that follow from jobs, bulky parts of results that are gone, indexes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import lifecycle, sessions
from benchmarks.documents import Job, Session
from benchmarks.lifecycle import State
from obt_site import audit, indexes, mongo

NAMED = 3  # examples that a finding names
AT_ONCE = 100
ENDED = [state.value for state in lifecycle.TERMINAL]
HELD = [state.value for state in lifecycle.WITH_AGENT]
KNOWN = frozenset(state.value for state in State)
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something wrong: what, which ones, what to do. `mend` puts it right, where that loses nothing."""

    name: str
    what: str
    which: Sequence[Any]
    advice: str
    mend: Callable[[Sequence[Any]], None] | None = None

    @property
    def words(self) -> str:
        """`2 jobs without a session: 65…, 66…`"""
        some = ", ".join(str(each) for each in self.which[:NAMED])
        more = ", …" if len(self.which) > NAMED else ""
        return f"{len(self.which)} {self.what}: {some}{more}"


def check() -> list[Finding]:
    """Everything that is wrong, worst first; writes nothing."""
    return [finding for find in CHECKS for finding in find() if finding.which]


def mend(finding: Finding) -> None:
    """Put one finding right and write it down. Only for findings that can be."""
    assert finding.mend is not None
    finding.mend(finding.which)
    which = {"which": [str(each) for each in finding.which[:AT_ONCE]], "count": len(finding.which)}
    audit.record("data.fix", f"Mended: {finding.words}", about=("data", finding.name, finding.what), before=which)


# -- orphans ---------------------------------------------------------------------------------------------------------


def _orphans() -> Iterator[Finding]:
    clients, session_ids, jobs, results = (_ids(name) for name in ("clients", "sessions", "jobs", "results"))
    delete = "Delete each in the admin, /admin/documents/{}/ID/, or restore what it belongs to from a backup."
    yield Finding(
        "jobs_without_session", "jobs without their session",
        [one["_id"] for one in _read("jobs", "session") if one["session"] not in session_ids],
        delete.format("jobs"),
    )  # fmt: skip
    yield Finding(
        "results_without_job", "results without their job",
        [one["_id"] for one in _read("results", "job") if one["job"] not in jobs],
        delete.format("results"),
    )  # fmt: skip
    yield Finding(
        "open_jobs_without_machine", "unfinished jobs of machines that are gone",
        [one["_id"] for one in _read("jobs", "client", "state")
         if one["client"] not in clients and one["state"] not in ENDED],
        "Nobody will run them. Cancel their sessions.",
    )  # fmt: skip
    yield Finding(
        "jobs_without_their_result", "jobs that name a result which is not stored",
        [one["_id"] for one in _read("jobs", "result") if one.get("result") and one["result"] not in results],
        "Queue them again to measure anew, or delete them in the admin (Data → Jobs).",
    )  # fmt: skip
    yield Finding(
        "models_without_machine", "models in the lists of machines that are gone",
        [one["_id"] for one in _read("model_installations", "client") if one["client"] not in clients],
        "They are not shown anywhere and can go: --fix removes them.",
        _dropping("model_installations"),
    )  # fmt: skip
    yield from _orphan_parts(jobs, results)


def _orphan_parts(jobs: set[Any], results: set[Any]) -> Iterator[Finding]:
    advice = "What they belong to is gone, so nothing shows them: --fix removes them."
    parts = (
        ("sample_blocks", "cells of raw samples without their result", "result", results),
        ("telemetry", "recordings of telemetry without their result", "_id", results),
        ("job_live", "live tails without their job", "_id", jobs),
        ("late_results", "late results without their job", "job", jobs),
    )
    for collection, what, field, there in parts:
        which = [one["_id"] for one in _read(collection, field) if one[field] not in there]
        yield Finding(f"orphan_{collection}", what, which, advice, _dropping(collection))


# -- impossible states -----------------------------------------------------------------------------------------------


def _impossible_jobs() -> Iterator[Finding]:
    found = list(_read("jobs", "state", "lease", "finished_at"))
    yield Finding(
        "jobs_in_unknown_state", "jobs in a state that there is not",
        [one["_id"] for one in found if one["state"] not in KNOWN],
        "A newer OBT has written them, or a hand. Use that OBT again, or delete them.",
    )  # fmt: skip
    yield Finding(
        "jobs_without_lease", "jobs that a machine should hold, without a lease",
        [one["_id"] for one in found if one["state"] in HELD and not one.get("lease")],
        "No machine can report on them. Cancel them, then retry.",
    )  # fmt: skip
    yield Finding(
        "ended_jobs_without_time", "ended jobs without the time they ended",
        [one["_id"] for one in found if one["state"] in ENDED and not one.get("finished_at")],
        "Their sessions' times may be wrong. Queue them again, or delete them.",
    )  # fmt: skip


def _sessions() -> Iterator[Finding]:
    states: dict[Any, list[Job]] = {}
    for job in Job.objects.only("session", "state", "not_before"):
        states.setdefault(job.session, []).append(job)
    wrong = [one.id for one in Session.objects.only("id", "counts", "state") if not _fits(one, states.get(one.id, []))]
    yield Finding(
        "session_counts", "sessions whose counts or state do not fit their jobs",
        [each for each in wrong if not _still_fits(each)],
        "--fix counts again; pages show wrong numbers until then.",
        _recount,
    )  # fmt: skip
    ended = ("succeeded", "failed", "cancelled")
    yield Finding(
        "ended_sessions_without_time", "ended sessions without the time they ended",
        [one.id for one in Session.objects.only("state", "finished_at") if one.state in ended and not one.finished_at],
        "--fix takes it from their jobs.",
        _recount,
    )  # fmt: skip


def _fits(session: Session, jobs: Sequence[Job]) -> bool:
    if not KNOWN.issuperset(job.state for job in jobs):
        return True  # said of the job; what follows from it cannot be told
    counts = sessions.tally(jobs)
    stored = {word: int(session.counts.get(word, 0)) for word in counts}
    return stored == counts and session.state == sessions.overall(counts)


def _still_fits(session_id: Any) -> bool:
    """Looked at again by itself: a job may have moved on while all were read."""
    session = Session.objects(id=session_id).first()
    return session is None or _fits(session, list(Job.objects(session=session_id)))


def _recount(which: Sequence[Any]) -> None:
    for session in which:
        sessions.recompute(session)


def _numbers() -> Iterator[Finding]:
    """Lists and pages go by numbers: one that is there twice hides a document."""
    for collection, what in (("results", "results"), ("sessions", "sessions"), ("events", "events")):
        found = [one.get("number") for one in _read(collection, "number")]
        repeated = sorted(number for number, count in Counter(found).items() if count > 1 and number is not None)
        yield Finding(
            f"{collection}_numbers", f"numbers that several {what} have", repeated,
            "Two databases were mixed, or one restored over another. Restore one of them whole.",
        )  # fmt: skip
        counter = mongo.database()["counters"].find_one({"_id": collection}) or {}
        ahead = sorted(number for number in found if number is not None and number > counter.get("value", 0))
        yield Finding(
            f"{collection}_counter", f"{what} numbered above the counter, which will give those numbers out again",
            ahead, "--fix sets the counter to the highest number.", _counting(collection),
        )  # fmt: skip


def _counting(collection: str) -> Callable[[Sequence[Any]], None]:
    def count(which: Sequence[Any]) -> None:
        mongo.database()["counters"].update_one({"_id": collection}, {"$set": {"value": max(which)}}, upsert=True)

    return count


# -- indexes ---------------------------------------------------------------------------------------------------------


def _indexes() -> Iterator[Finding]:
    declared: dict[str, set[str]] = {}
    for index in indexes.INDEXES:
        declared.setdefault(index.collection, set()).add(index.name)
    there = {name: set(mongo.database()[name].index_information()) for name in declared}
    yield Finding(
        "missing_indexes", "indexes that queries count on and the database lacks",
        [f"{name}.{each}" for name, names in declared.items() for each in sorted(names - there[name])],
        "Those queries read whole collections. --fix creates them; one that cannot be created says why.",
        lambda which: indexes.ensure(),
    )  # fmt: skip
    yield Finding(
        "strange_indexes", "indexes that no query of OBT uses",
        [f"{name}.{each}" for name, names in declared.items() for each in sorted(there[name] - names - {"_id_"})],
        "They only cost time at every write. Drop them in the database, unless something else reads there.",
    )  # fmt: skip


CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (_impossible_jobs, _orphans, _sessions, _numbers, _indexes)


def _read(collection: str, *fields: str) -> Iterator[Found]:
    return iter(mongo.database()[collection].find({}, dict.fromkeys(fields, 1)))


def _ids(collection: str) -> set[Any]:
    return {one["_id"] for one in _read(collection, "_id")}


def _dropping(collection: str) -> Callable[[Sequence[Any]], None]:
    def drop(which: Sequence[Any]) -> None:
        for start in range(0, len(which), AT_ONCE):
            mongo.database()[collection].delete_many({"_id": {"$in": list(which[start : start + AT_ONCE])}})

    return drop
