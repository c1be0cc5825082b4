"""Sessions over the user API: start, watch, pause, cancel, retry."""

from typing import Annotated, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Query as FromQuery
from ninja import Router
from ninja.responses import Status
from pydantic import Field, StringConstraints

from agent.obt_agent import contract
from benchmarks import listing, pausing, sessions, suites
from benchmarks.api import cursors, jobs, once
from benchmarks.api.callers import caller_of, open_to
from benchmarks.api.shapes import Body, Id, Line, ModelName, PageQuery, Shape, Text, Time, Truth, Word
from benchmarks.documents import Job, Session
from benchmarks.listing import SessionFilters
from obt_site.access import Role

NAME_LENGTH = suites.NAME_LENGTH
JOBS_PER_PAGE = 2000  # a page of sessions ends early where their jobs are more
STATES_PATTERN = (
    "^(?:queued|running|succeeded|failed|cancelled)(?:,(?:queued|running|succeeded|failed|cancelled)){0,4}$"
)
router = Router(tags=["sessions"])


class TargetBody(Body):
    """One model on one machine."""

    client: Annotated[Line, StringConstraints(min_length=1, max_length=64)] = Field(description="the machine's id")
    model: ModelName = Field(description="Ollama's full name, e.g. llama3.2:latest")


class SweepBody(Body):
    """Values to measure every cell under, each combination as a cell of its own, such as `tg128[num_thread=4]`."""

    num_ctx: list[int] | None = Field(None, description="context lengths, in tokens")
    num_gpu: list[int] | None = Field(None, description="layers on the GPU; 0 is none")
    num_thread: list[int] | None = None
    num_batch: list[int] | None = Field(None, description="prompt tokens processed at a time")


class PromptBody(Body):
    """A text of your own, sent exactly as it is behind a fresh nonce; its cell is `prompt-<name>/<output_tokens>`."""

    name: Line
    text: str
    output_tokens: int = Field(description="at most so many are answered")


class SloBody(Body):
    """The limits in ms that a request must meet to count for goodput; for cells with requests at a time."""

    ttft_ms: float | None = None
    itl_ms: float | None = None
    e2e_ms: float | None = None


class OptionsBody(Body):
    """Ollama's options for every request of the session. What is left out is pinned (temperature 0) or Ollama's own."""

    temperature: float | None = None
    seed: int | None = None
    num_gpu: int | None = None
    num_thread: int | None = None
    num_batch: int | None = None


class SessionBody(Body):
    """What to measure where.

    `cells` picks from or adds to the suite: load, ppN, tgN, tgN@D, chatN/M, cN, embedNxB, each with parameters in
    brackets where wanted: `tg128[num_ctx=8192]`. `sweep` multiplies all cells, and `prompts` adds to them.
    """

    targets: Annotated[list[TargetBody], Field(min_length=1, max_length=settings.SESSION_JOBS_MAXIMUM)]
    suite: Annotated[Line, StringConstraints(max_length=60)] = "standard"
    budget: Annotated[Line, StringConstraints(max_length=60)] = Field("standard", description="quick, standard or full")
    cells: (
        Annotated[list[Annotated[Line, StringConstraints(max_length=NAME_LENGTH)]], Field(max_length=suites.MOST_CELLS)]
        | None
    ) = Field(None, description="left out: the whole suite")
    sweep: SweepBody | None = None
    prompts: Annotated[list[PromptBody], Field(max_length=suites.MOST_PROMPTS)] | None = None
    slo: SloBody | None = None
    options: OptionsBody | None = None
    name: Annotated[Line, StringConstraints(max_length=sessions.NAME_LENGTH)] | None = None
    note: Annotated[Text, StringConstraints(max_length=sessions.NOTE_LENGTH)] | None = None


class CountsShape(Shape):
    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class PromptShape(Shape):
    """A fixed prompt of the session: its cell without parameters, and the text (null in lists of sessions)."""

    cell: str
    text: str | None


class SessionShape(Shape):
    """What was asked for, and how far it is."""

    id: str
    number: int
    name: str
    note: str | None
    suite: str
    suite_version: str | None
    budget: str
    cells: list[str]
    prompts: list[PromptShape]
    slo: contract.Slo | None = Field(description="the limits that goodput is counted by")
    options: dict[str, float] = Field(description="what was asked for beside the pinned options")
    state: str
    created_by: str | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    paused_at: Time | None = Field(description="since when its queued jobs are held back; null when they are not")
    counts: CountsShape
    expected_s: float | None = Field(
        description="by earlier results, machines side by side; null when something is not known of a job"
    )
    jobs: list[jobs.JobShape]


class SessionPage(Shape):
    items: list[SessionShape]
    next: str | None


def shape(session: Session, of_it: list[Job] | None = None, texts: bool = True) -> SessionShape:
    """The session as the API tells it, with its jobs in the order they were asked for; long texts where wanted."""
    of_it = sessions.jobs_of(session) if of_it is None else sorted(of_it, key=lambda job: job.position)
    return SessionShape(
        id=str(session.id),
        number=session.number,
        name=session.name,
        note=session.note,
        suite=session.suite,
        suite_version=session.suite_version,
        budget=session.budget,
        cells=[cell["name"] for cell in session.cells],
        prompts=[PromptShape(cell=one["cell"], text=one["text"] if texts else None) for one in session.prompts],
        slo=_slo(session),
        options=dict(session.options),
        state=session.state,
        created_by=session.created_by,
        created_at=session.created_at,
        started_at=session.started_at,
        finished_at=session.finished_at,
        paused_at=session.paused_at,
        counts=CountsShape(**session.counts),
        expected_s=sessions.expected_s(of_it),
        jobs=[jobs.shape(job) for job in of_it],
    )


def _slo(session: Session) -> contract.Slo | None:
    stated = next((cell["slo"] for cell in session.cells if cell.get("slo")), None)
    return None if stated is None else contract.Slo(**stated)


@router.post("/sessions", **open_to(Role.OPERATOR, SessionShape, 201))
def start_session(request: HttpRequest, response: HttpResponse, body: SessionBody) -> Status[SessionShape]:
    """Queue one job per target. Nothing is written when any target cannot run; `errors` says which and why."""
    session = sessions.start(
        [sessions.Target(target.client, target.model) for target in body.targets],
        body.suite,
        body.budget,
        caller_of(request).name,
        name=body.name,
        note=body.note,
        cells=body.cells,
        sweep=_given(body.sweep),
        prompts=[suites.FixedPrompt(**one.model_dump()) for one in body.prompts or ()],
        slo=_given(body.slo),
        options=_given(body.options),
        id=once.made_id(request),
    )
    response["Location"] = reverse("api:get_session", args=[session.id])
    return Status(201, shape(session))


def _given(body: Body | None) -> dict[str, Any]:
    """What was sent, without the fields that were left open."""
    return body.model_dump(exclude_none=True) if body else {}


class SessionQuery(PageQuery):
    """All filters hold together."""

    state: Annotated[str, StringConstraints(pattern=STATES_PATTERN)] | None = Field(
        None, description="one of queued, running, succeeded, failed, cancelled, or several with commas between"
    )
    paused: Truth | None = None
    created_by: Word | None = Field(None, description="who asked for it")
    client: Id | None = Field(None, description="with a job on this machine")
    search: Word | None = Field(None, description="words of its name or `#number`, in any case")


@router.get("/sessions", **open_to(Role.VIEWER, SessionPage))
def list_sessions(request: HttpRequest, query: FromQuery[SessionQuery]) -> SessionPage:
    """The sessions, newest first. A page has fewer than `limit` when its sessions have very many jobs."""
    filters = SessionFilters(
        frozenset(query.state.split(",")) if query.state else frozenset(),
        None if query.paused is None else query.paused == "true",
        query.created_by,
        query.client,
        query.search,
    )
    page = listing.sessions(cursors.number_of(query.cursor), query.limit, filters)
    shown = _with_few_jobs(page.items)
    follows = page.next if len(shown) == len(page.items) else shown[-1].number
    of_each: dict[object, list[Job]] = {session.id: [] for session in shown}
    for job in Job.objects(session__in=list(of_each)):
        of_each[job.session].append(job)
    items = [shape(session, of_each[session.id], texts=False) for session in shown]
    return SessionPage(items=items, next=cursors.after_number(follows))


def _with_few_jobs(found: list[Session]) -> list[Session]:
    """The first of these sessions whose jobs fit a page; at least one."""
    room = JOBS_PER_PAGE
    for i, session in enumerate(found):
        room -= sum(session.counts.values())
        if room < 0 and i:
            return found[:i]
    return found


@router.get("/sessions/{session_id}", **open_to(Role.VIEWER, SessionShape))
def get_session(request: HttpRequest, session_id: str) -> SessionShape:
    """One session with its jobs."""
    return shape(sessions.find(session_id))


@router.post("/sessions/{session_id}/pause", **open_to(Role.OPERATOR, SessionShape))
def pause_session(request: HttpRequest, session_id: str) -> SessionShape:
    """Hold back the session's queued jobs; running ones end normally. `state` stays, `paused_at` says it."""
    return shape(pausing.pause(sessions.find(session_id), caller_of(request).name))


@router.post("/sessions/{session_id}/resume", **open_to(Role.OPERATOR, SessionShape))
def resume_session(request: HttpRequest, session_id: str) -> SessionShape:
    """Let the queued jobs of a paused session go on."""
    return shape(pausing.resume(sessions.find(session_id)))


@router.post("/sessions/{session_id}/cancel", **open_to(Role.OPERATOR, SessionShape))
def cancel_session(request: HttpRequest, session_id: str) -> SessionShape:
    """Cancel every job of the session that has not ended."""
    return shape(sessions.cancel(sessions.find(session_id)))


@router.post("/sessions/{session_id}/retry", **open_to(Role.OPERATOR, SessionShape))
def retry_session(request: HttpRequest, session_id: str) -> SessionShape:
    """Queue every failed, timed-out or cancelled job of the session again."""
    return shape(sessions.retry(sessions.find(session_id)))
