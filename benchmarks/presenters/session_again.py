"""A session's form filled in as it was asked for: what "run again" shows before anything starts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from agents.documents import Client, ModelInstallation
from benchmarks import sessions, suites
from benchmarks.documents import Job, Session
from benchmarks.presenters.session_form import (
    OPTION,
    OPTION_FIELDS,
    OTHER_CELLS,
    PROMPT_FIELDS,
    SLO,
    SLO_FIELDS,
    SUITE,
    SWEEP,
    Form,
    is_whole_suite,
)
from benchmarks.suites import FixedPrompt
from obt_site.errors import Invalid

Values = dict[str, list[int]]


@dataclass(frozen=True)
class Again:
    """`form`: as it was asked for, without what is gone. `gone`, `changed`: sentences about what is not as it was."""

    form: Form
    id: str
    number: int
    name: str
    gone: Sequence[str]
    changed: Sequence[str]


def again(session: Session) -> Again:
    """The form of a session that was run before, with what has changed since in words."""
    jobs = sessions.jobs_of(session)
    names = {client.id: client.name for client in Client.objects.only("name")}
    wanted = sorted({job.model for job in jobs})
    models = ModelInstallation._get_collection().find({"name": {"$in": wanted}}, {"client": 1, "name": 1, "digest": 1})
    digests = {(model["client"], model["name"]): model["digest"] for model in models}
    gone, changed, kept = [], [], []
    for job in jobs:
        where = names.get(job.client)
        if where is None:
            gone.append(f"{job.model} on {job.client_name}: the machine is gone.")
        elif (job.client, job.model) not in digests:
            gone.append(f"{job.model} on {where}: it is no longer installed.")
        else:
            kept.append(job)
            if digests[job.client, job.model] != job.digest:
                changed.append(f"{job.model} on {where} has another digest than then: the numbers will not compare.")
    cells, lost = _cells(session)
    gone += [f"{name}: a sweep of a prompt can only be asked for together with all other cells." for name in lost]
    return Again(_form(session, kept, cells), str(session.id), session.number, session.name, gone, changed)


def _form(session: Session, jobs: Sequence[Job], cells: "Cells") -> Form:
    origin = f"Run again of session #{session.number}."
    note = session.note or ""
    with_origin = note if origin in note else f"{note}\n{origin}".strip()
    with_box = suites.SUITES["standard"]
    return Form(
        picks=tuple(f"{job.client}:{job.model}" for job in jobs),
        suite=session.suite,
        budget=session.budget,
        cells=tuple(name for name in cells.names if name in with_box),
        name=session.name,
        note=with_origin if len(with_origin) <= sessions.NOTE_LENGTH else note,
        more={name: value for name, value in _more(session, cells).items() if value},
        prompts=max(1, len(cells.prompts)),
        measure=SUITE if is_whole_suite(cells.names) else "",
    )


def _more(session: Session, cells: "Cells") -> dict[str, str]:
    """The texts of the folded part, by input."""
    found = {OTHER_CELLS: " ".join(name for name in cells.names if name not in suites.SUITES["standard"])}
    found |= {f"{SWEEP}{name}": ", ".join(map(str, values)) for name, values in cells.sweep.items()}
    for fields, prompt in zip(PROMPT_FIELDS, cells.prompts, strict=False):
        found |= {fields.name: prompt.name, fields.text: prompt.text, fields.output: str(prompt.output_tokens)}
    limits: Mapping[str, Any] = next((cell["slo"] for cell in session.cells if cell.get("slo")), {})
    found |= {name: _number(limits.get(name.removeprefix(SLO))) for name in SLO_FIELDS}
    return found | {name: _number(session.options.get(name.removeprefix(OPTION))) for name in OPTION_FIELDS}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if abs(value) < 1e6 else str(int(value))


# -- cells -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cells:
    """What was measured, as it can be asked for: names, a sweep over all of them, prompts."""

    names: Sequence[str]
    sweep: Values
    prompts: Sequence[FixedPrompt]


def _cells(session: Session) -> tuple[Cells, list[str]]:
    """The cells with as much of them as possible as a sweep; and the names of those that cannot be asked for again."""
    measured = [str(cell["name"]) for cell in session.cells]
    texts = {str(prompt["cell"]): str(prompt["text"]) for prompt in session.prompts}
    for sweep in _sweeps(measured):
        found = _factored(measured, texts, sweep)
        if found is not None and _made_by(session, found) == set(measured):
            return found, []
    plain = _factored([name for name in measured if suites.base_of(name) not in texts or name in texts], texts, {})
    lost = [name for name in measured if suites.base_of(name) in texts and name not in texts]
    return plain or Cells(measured, {}, ()), lost


def _sweeps(names: Sequence[str]) -> Iterator[Values]:
    """What may have been swept, most parameters first."""
    values: Values = {}
    for name in names:
        for parameter, value in suites.parameters_of(name).items():
            known = values.setdefault(parameter, [])
            known += [value] * (value not in known)
    for count in range(len(values), -1, -1):
        for chosen in combinations(values, count):
            yield {parameter: values[parameter] for parameter in chosen}


def _factored(names: Sequence[str], texts: Mapping[str, str], sweep: Values) -> Cells | None:
    """The names without what the sweep adds; None where a prompt's name would keep parameters."""
    kept = list(dict.fromkeys(_without(name, sweep) for name in names))
    prompts = [name for name in kept if suites.base_of(name) in texts]
    if any(name not in texts for name in prompts):
        return None
    return Cells([name for name in kept if name not in texts], sweep, [_prompt(name, texts[name]) for name in prompts])


def _without(name: str, sweep: Values) -> str:
    left = {key: value for key, value in suites.parameters_of(name).items() if key not in sweep}
    inside = ",".join(f"{key}={value}" for key, value in left.items())
    return f"{suites.base_of(name)}[{inside}]" if inside else suites.base_of(name)


def _prompt(cell: str, text: str) -> FixedPrompt:
    """`prompt-my-haiku/64` as it was asked for."""
    name, _, tokens = cell.removeprefix("prompt-").rpartition("/")
    return FixedPrompt(name, text, int(tokens))


def _made_by(session: Session, cells: Cells) -> set[str]:
    try:
        plan = suites.plan(session.suite, "full", list(cells.names), sweep=cells.sweep, prompts=list(cells.prompts))
    except Invalid:
        return set()
    return {spec.name for spec in plan.cells}
