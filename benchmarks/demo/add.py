"""Writing the demo: machines and models, then session by session with its jobs and results, in order of time."""

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mongoengine import Document

from agent.obt_agent import wire
from agents import hardware
from agents.documents import Client, Event, ModelInstallation
from benchmarks import live, numbers, results, sessions, suites
from benchmarks.demo import bodies, clients, events, history, machines, marks, models
from benchmarks.demo.history import DAYS, PlannedJob, PlannedSession
from benchmarks.demo.machines import Machine
from benchmarks.demo.remove import there
from benchmarks.documents import Job, Result, Session
from benchmarks.targets import Chosen
from obt_site import audit, mongo
from obt_site.clock import now
from obt_site.errors import Conflict

WRITTEN_AT_ONCE = 100
ENDED_BEFORE_NOW = timedelta(minutes=12)
BETWEEN_JOBS = timedelta(seconds=4)
ALREADY = "The demo is already here, or a part of it: take it away first with `manage.py demo --remove`."
RESULT_SCHEMA = Result.schema.default

Tell = Callable[[int, int], None]  # results so far, and in all


@dataclass(frozen=True)
class Asked:
    """How much of it. `whole`: results, the newest and those of the weekly watch, that keep samples and telemetry."""

    machines: int = 12
    models: int = 300
    results: int = 5000
    seed: int = 1
    whole: int = 400


@dataclass(frozen=True)
class Made:
    """How many documents were written."""

    machines: int
    models: int
    sessions: int
    results: int


def add(asked: Asked, tell: Tell = lambda done, wanted: None) -> Made:
    """Write it. Raises Conflict when there is some of it already, or a machine of that name."""
    if there():
        raise Conflict(ALREADY)
    made = _Writer(asked, tell).write()
    audit.record("demo.add", "The demo was added", about=("demo", None, "demo"), after=asdict(made))
    return made


class _Writer:
    """One writing of the demo. Everything is worked out in order from one source of chance."""

    def __init__(self, asked: Asked, tell: Tell) -> None:
        self.asked, self.tell = asked, tell
        self.chance = random.Random(asked.seed)  # noqa: S311  (it is to be the same every time)
        self.new_id = marks.maker()
        self.now = now()
        self.begin = self.now - timedelta(days=DAYS)
        self.fleet = machines.fleet(asked.machines)
        _refuse_taken_names(self.fleet)
        self.models = models.published(asked.models)
        self.has = models.installations(self.fleet, self.models, self.chance) if self.fleet else {}
        self.clients: dict[str, Client] = {}
        self.free_at = self.begin
        self.done = 0
        self.told: list[events.Told] = []

    def write(self) -> Made:
        self._write_machines()
        wanted = self.asked.results if self.fleet and self.models else 0
        last = history.paused(self.fleet, self.has, wanted)
        before = wanted - sum(one.results for one in last)
        planned = [*history.sessions(self.fleet, self.has, before, self.chance), *last]
        for one in planned:
            self._write_session(one)
            self.tell(self.done, wanted)
        waiting = self._write_waiting()
        _insert([_plain(each) for each in events.documents(self.told, self.new_id)], Event)
        numbers.renew("results")
        live.fleet_changed()
        return Made(len(self.fleet), len(self.models), len(planned) + waiting, self.done)

    def _write_machines(self) -> None:
        for machine in self.fleet:
            for share in (0.0, 1.0):
                hardware.keep(machines.gear_at(machine, share))
            identity = self.new_id(self.begin)
            having = self.has[machine.name]
            made = clients.client(identity, machine, self.now, DAYS, len(having), self.chance)
            self.clients[machine.name] = made
            self.told += events.of_machine(machine, made, self.begin, self.now)
            _insert([_plain(made)], Client)
            listed = [clients.installation(self.new_id(self.begin), made, *one, self.now) for one in having]
            _insert([_plain(each) for each in listed], ModelInstallation)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def _write_session(self, planned: PlannedSession) -> None:
        started = max(self.free_at, self.begin + timedelta(days=DAYS * planned.share) - timedelta(hours=4))
        session, plan, chosen = self._session(planned, min(started, self.now - ENDED_BEFORE_NOW * 2))
        jobs: list[Job] = []
        documents: list[dict[str, Any]] = []
        bulk: list[Document] = []
        at: dict[str, datetime] = {}
        for place, (job, one) in enumerate(zip(planned.jobs, chosen, strict=True)):
            begun = at.get(job.machine.name, session.started_at)
            document, result = self._job(session, plan, planned, job, one, place, begun, bulk)
            if document.finished_at is not None:
                at[job.machine.name] = document.finished_at + BETWEEN_JOBS
            jobs.append(document)
            documents += [] if result is None else [result]
        self.free_at = max(job.finished_at for job in jobs if job.finished_at is not None)
        if planned.paused_by is None:
            session.finished_at = self.free_at
        else:
            session.paused, session.paused_at, session.paused_by = True, self.free_at, planned.paused_by
        session.counts = sessions.tally(jobs)
        session.state = sessions.overall(session.counts)
        self._insert_all(session, jobs, documents, bulk)

    def _session(self, planned: PlannedSession, at: datetime) -> tuple[Session, suites.Plan, list[Chosen]]:
        plan = suites.plan("standard", planned.budget, planned.cells)
        chosen = [self._chosen(job, planned.share) for job in planned.jobs]
        measured = suites.used(plan.cells, [one.model for one in chosen], plan.fields)
        session = Session(
            id=self.new_id(at),
            number=numbers.following("sessions"),
            name=planned.name or sessions.title_of(chosen),
            note=planned.note,
            suite="standard",
            suite_version=plan.suite_version,
            budget=planned.budget,
            cells=[wire.encode(replace(cell, text=None)) for cell in measured],
            created_by=planned.by,
            created_at=at,
            started_at=at + BETWEEN_JOBS,
            version=len(chosen) + 1,
        )
        return session, plan, chosen

    def _chosen(self, job: PlannedJob, share: float) -> Chosen:
        """What was there then, as the server knew it."""
        owner = self.clients[job.machine.name]
        listed = clients.listed(job.model, job.newest, share, self.now)
        return Chosen("targets", owner, ModelInstallation(client=owner.id, **wire.encode(listed)))

    def _job(
        self, session: Session, plan: suites.Plan, planned: PlannedSession, job: PlannedJob, one: Chosen,
        place: int, begun: datetime, bulk: list[Document],
    ) -> tuple[Job, dict[str, Any] | None]:  # fmt: skip
        document = Job(
            id=self.new_id(session.created_at),
            session=session.id,
            client=one.client.id,
            client_name=one.client.name,
            model=one.model.name,
            digest=one.model.digest,
            position=place,
            created_at=session.created_at,
        )
        if job.ends == "waits":
            document.state_since = session.created_at
            return document, None
        if job.ends == "never":
            document.state, document.state_since, document.finished_at = "cancelled", begun, begun
            return document, None
        whole = planned.watch or self.asked.results - self.done <= self.asked.whole
        work = bodies.Work(
            job.machine, job.model, clients.listed(job.model, job.newest, planned.share, self.now),
            suites.cells_for(plan.cells, one.model), plan.budget_s, planned.share, DAYS, job.ends, whole,
        )  # fmt: skip
        body = bodies.body(work, self.chance)
        ended = min(begun + timedelta(seconds=body.duration_s), self.now - ENDED_BEFORE_NOW)
        document.state = body.outcome
        document.state_since = document.finished_at = document.last_seen_at = ended
        document.attempt, document.lease, document.deliveries = 1, body.lease, 0
        document.started_at, document.took_s = min(begun, ended), body.duration_s
        document.error = wire.encode(body.error)
        body_hash = hashlib.sha256(f"{self.asked.seed}:{document.id}".encode()).hexdigest()
        fields = results.summary(one.client, document, session, body, body_hash)
        document.result = fields["id"]
        self.done += 1
        if whole:
            bulk += results.blocks(fields["id"], body)
            bulk += [results.recording(fields["id"], body.telemetry)] if body.telemetry else []
        return document, {"schema": RESULT_SCHEMA, "created_at": ended, **fields}

    def _insert_all(
        self, session: Session, jobs: Sequence[Job], documents: list[dict[str, Any]], bulk: Iterable[Document]
    ) -> None:
        """Bulky parts first, as a real delivery does it; numbers in the order the results came in."""
        owners = {client.id: client for client in self.clients.values()}
        self.told += events.of_session(session, jobs, documents, owners)
        by_kind: dict[type[Document], list[dict[str, Any]]] = {}
        for each in bulk:
            by_kind.setdefault(type(each), []).append(_plain(each))
        for kind, plain in by_kind.items():
            _insert(plain, kind)
        _insert([_plain(session)], Session)
        _insert([_plain(job) for job in jobs], Job)
        documents.sort(key=lambda one: one["created_at"])
        first = numbers.reserve("results", len(documents))
        _insert([_stored(fields, first + i) for i, fields in enumerate(documents)], Result)

    def _write_waiting(self) -> int:
        """A session that waits for a machine that is paused: nothing is ever handed out of it."""
        paused = next((machine for machine in self.fleet if machine.paused and self.has[machine.name]), None)
        if paused is None or not self.asked.results:
            return 0
        jobs = [PlannedJob(paused, model, newest, "never") for model, newest in self.has[paused.name][:3]]
        planned = PlannedSession(1.0, "When the rack is quiet", None, "standard", None, history.PEOPLE[1], jobs)
        session, _, chosen = self._session(planned, self.now - ENDED_BEFORE_NOW)
        session.started_at, session.counts = None, {"queued": len(jobs)}
        documents = [
            Job(
                id=self.new_id(session.created_at), session=session.id, client=one.client.id,
                client_name=one.client.name, model=one.model.name, digest=one.model.digest, position=place,
                created_at=session.created_at, state_since=session.created_at,
            )
            for place, one in enumerate(chosen)
        ]  # fmt: skip
        session.counts = sessions.tally(documents)
        self._insert_all(session, documents, [], [])
        return 1


def _refuse_taken_names(fleet: Sequence[Machine]) -> None:
    wanted = {machine.name for machine in fleet}
    taken = sorted(one.name for one in Client.objects.only("name") if one.name in wanted)
    if taken:
        raise Conflict(f"The demo has a machine called “{taken[0]}”, and so have you: rename yours first.")


def _plain(document: Document) -> dict[str, Any]:
    return dict(document.to_mongo())


def _stored(fields: dict[str, Any], number: int) -> dict[str, Any]:
    """A result as MongoEngine would store it: what is missing is left out."""
    known = {name: value for name, value in fields.items() if value is not None or name in KEPT_EMPTY}
    return {"_id": known.pop("id"), "number": number, **known}


KEPT_EMPTY = frozenset(name for name, field in Result._fields.items() if field.null)


def _insert(documents: Sequence[dict[str, Any]], kind: type[Document]) -> None:
    collection = mongo.database()[kind._meta["collection"]]
    for start in range(0, len(documents), WRITTEN_AT_ONCE):
        collection.insert_many(list(documents[start : start + WRITTEN_AT_ONCE]), ordered=False)
