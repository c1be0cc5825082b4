"""The form of a new session: what was typed and ticked, kept as it came, and what it asks for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from benchmarks import suites
from benchmarks.suites import FixedPrompt
from benchmarks.targets import Target
from obt_site.errors import FieldError, Invalid

SWEEP, SLO, OPTION = "sweep_", "slo_", "option_"
OTHER_CELLS = "other_cells"
PROMPTS = "prompts"  # how many prompts there are fields for
PROMPT_OUTPUT_TOKENS = "128"  # where nothing is typed
MEASURE, SUITE, OWN = "measure", "suite", "own"  # the whole suite, or cells of one's own
LONGEST_NUMBER = 12

# input → label and an example; the order is the form's
SWEEP_FIELDS = {
    f"{SWEEP}num_ctx": ("Context lengths", "2048, 8192"),
    f"{SWEEP}num_gpu": ("Layers on the GPU", "0, 16, 32"),
    f"{SWEEP}num_thread": ("Threads", "4, 8, 16"),
    f"{SWEEP}num_batch": ("Batch sizes", "256, 512"),
}
SLO_FIELDS = {
    f"{SLO}ttft_ms": ("First token within, ms", "500"),
    f"{SLO}itl_ms": ("Between tokens, ms", "50"),
    f"{SLO}e2e_ms": ("Whole answer within, ms", "10000"),
}
OPTION_FIELDS = {
    f"{OPTION}num_gpu": ("Layers on the GPU", "Ollama decides"),
    f"{OPTION}num_thread": ("Threads", "Ollama decides"),
    f"{OPTION}num_batch": ("Batch size", "Ollama decides"),
    f"{OPTION}seed": ("Seed", "42"),
    f"{OPTION}temperature": ("Temperature", "0"),
}


@dataclass(frozen=True)
class PromptFields:
    """The inputs of one prompt."""

    name: str
    text: str
    output: str


def _prompt_fields(place: int) -> PromptFields:
    after = f"_{place + 1}" if place else ""
    return PromptFields(*(f"prompt_{what}{after}" for what in ("name", "text", "output")))


PROMPT_FIELDS = tuple(_prompt_fields(place) for place in range(suites.MOST_PROMPTS))
MORE_FIELDS = (
    OTHER_CELLS,
    *SWEEP_FIELDS,
    *(name for one in PROMPT_FIELDS for name in (one.name, one.text, one.output)),
    *SLO_FIELDS,
    *OPTION_FIELDS,
)
NOT_IN_BRACKETS = re.compile(r"[\s,;]+(?![^\[\]]*\])")


@dataclass(frozen=True)
class Form:
    """What was typed and ticked, as it came. `cells`: the ticked ones of the suite; `more`: texts by their input.

    `measure`: SUITE or OWN as it was chosen; empty where the rest says it.
    """

    picks: tuple[str, ...] = ()
    suite: str = "standard"
    budget: str = "quick"
    cells: tuple[str, ...] = ()
    name: str = ""
    note: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    prompts: int = 1
    measure: str = ""

    @property
    def targets(self) -> list[Target]:
        """`<client>:<model>` as targets; a pick without a colon names no machine and is refused as such."""
        parts = [pick.partition(":") for pick in self.picks]
        return [Target(client, model) for client, _, model in parts]

    def text(self, name: str) -> str:
        """What was typed into one of MORE_FIELDS."""
        return self.more.get(name, "")

    @property
    def other_cells(self) -> list[str]:
        """The cells written by name, in their order."""
        return [part for part in NOT_IN_BRACKETS.split(self.text(OTHER_CELLS).strip()) if part]

    @property
    def is_own(self) -> bool:
        """Whether it asks for cells of one's own instead of the whole suite."""
        if self.measure:
            return self.measure == OWN
        some = bool(self.cells) and set(self.cells) != set(suites.SUITES.get(self.suite, ()))
        return some or bool(self.other_cells) or (self.has_prompt and not self.cells)

    @property
    def filled_prompts(self) -> list[PromptFields]:
        """Those with a name or a text."""
        return [one for one in PROMPT_FIELDS if self.text(one.name).strip() or self.text(one.text).strip()]

    @property
    def shown_prompts(self) -> tuple[PromptFields, ...]:
        """As many as were asked for, and all that are filled."""
        filled = max((PROMPT_FIELDS.index(one) + 1 for one in self.filled_prompts), default=1)
        return PROMPT_FIELDS[: max(self.prompts, filled)]

    @property
    def has_prompt(self) -> bool:
        return bool(self.filled_prompts)


def read(sent: QueryDict) -> Form:
    """What was typed and ticked; missing fields have their defaults. Cells that have no box go to those by name."""
    cells = list(dict.fromkeys(sent.getlist("cells")))
    with_box = suites.SUITES["standard"]
    more = {name: value for name in MORE_FIELDS if (value := sent.get(name) or "")}
    by_name = [*([more[OTHER_CELLS]] if OTHER_CELLS in more else []), *(cell for cell in cells if cell not in with_box)]
    return Form(
        picks=tuple(dict.fromkeys(sent.getlist("pick"))),
        suite=sent.get("suite") or "standard",
        budget=sent.get("budget") or "quick",
        cells=tuple(cell for cell in cells if cell in with_box),
        name=sent.get("name") or "",
        note=sent.get("note") or "",
        more={**more, OTHER_CELLS: " ".join(by_name)} if by_name else more,
        prompts=min(max([1, *(_whole(each) or 1 for each in sent.getlist(PROMPTS))]), suites.MOST_PROMPTS),
        measure=chosen if (chosen := sent.get(MEASURE)) in (SUITE, OWN) else "",
    )


def is_whole_suite(names: Iterable[str]) -> bool:
    """Whether this is the suite as models of one kind are measured by it: those that embed have cells of their own."""
    whole = set(suites.SUITES["standard"])
    of_embedding = {name for name in whole if suites.cell(name).kind == "embed"}
    return set(names) in (whole, whole - of_embedding, of_embedding)


def as_query(form: Form) -> str:
    """The form as an address that shows it again."""
    query = QueryDict(mutable=True)
    query.setlist("pick", list(form.picks))
    query.setlist("cells", list(form.cells))
    query.update({"budget": form.budget, **form.more})
    for name in ("name", "note"):
        if getattr(form, name):
            query[name] = getattr(form, name)
    if form.prompts > 1:
        query[PROMPTS] = str(form.prompts)
    if form.measure:
        query[MEASURE] = form.measure
    return query.urlencode()


# -- what it asks for --------------------------------------------------------------------------------------------------


def asked(form: Form) -> dict[str, Any]:
    """`cells`, `sweep`, `prompts`, `slo` and `options` as `suites.plan` takes them.

    Where nothing says which, nothing ticked or written by name is the whole suite, or the prompt alone. Raises Invalid
    for what is typed where a number belongs, together with all that `suites.plan` finds wrong with the rest.
    """
    problems: list[FieldError] = []
    found = {
        "cells": [*form.cells, *form.other_cells] if form.is_own else None,
        "sweep": _values(form, problems),
        "prompts": _prompts(form, problems),
        "slo": _numbers(form, SLO_FIELDS, "slo", SLO, problems),
        "options": _numbers(form, OPTION_FIELDS, "options", OPTION, problems),
    }
    if problems:
        raise Invalid(problems[0].message, [*problems, *_others(form, found)])
    return found


def _others(form: Form, found: dict[str, Any]) -> list[FieldError]:
    try:
        suites.plan(form.suite, form.budget, **found)
    except Invalid as refusal:
        return refusal.errors
    return []


def _values(form: Form, problems: list[FieldError]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name in SWEEP_FIELDS:
        parts = [part for part in re.split(r"[\s,;]+", form.text(name)) if part]
        values = [_whole(part) for part in parts]
        if None in values:
            message = f"“{parts[values.index(None)][:20]}” is not a whole number; write values with commas between."
            problems.append(FieldError(f"sweep.{name.removeprefix(SWEEP)}", message))
        elif parts:
            found[name.removeprefix(SWEEP)] = [value for value in values if value is not None]
    return found


def _prompts(form: Form, problems: list[FieldError]) -> list[FixedPrompt]:
    """Those where a name or a text was typed. A browser sends new lines as CR LF; the text has LF."""
    found = []
    for i, one in enumerate(form.filled_prompts):
        tokens = _whole(form.text(one.output).strip() or PROMPT_OUTPUT_TOKENS)
        if tokens is None:
            problems.append(FieldError(f"prompts.{i}.output_tokens", "Give the output tokens as a whole number."))
        text = form.text(one.text).replace("\r\n", "\n")
        found.append(FixedPrompt(form.text(one.name).strip(), text, tokens or 0))
    return found


def _numbers(
    form: Form, names: Iterable[str], group: str, prefix: str, problems: list[FieldError]
) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in names:
        typed, short = form.text(name).strip(), name.removeprefix(prefix)
        value = _number(typed)
        if typed and value is None:
            problems.append(FieldError(f"{group}.{short}", f"“{typed[:20]}” is not a number."))
        found[short] = value
    return found


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(rf"-?\d{{1,{LONGEST_NUMBER}}}", text, re.ASCII) else None


def _number(text: str) -> float | None:
    """Whole or with a decimal point; no exponents, infinities or other words for numbers."""
    whole = _whole(text)
    if whole is not None:
        return whole
    return float(text) if re.fullmatch(rf"-?\d{{1,{LONGEST_NUMBER}}}\.\d{{1,12}}", text, re.ASCII) else None


# -- where its errors stand --------------------------------------------------------------------------------------------


def by_input(errors: Sequence[FieldError], form: Form) -> dict[str, str]:
    """The first sentence of each input that is wrong: `sweep.num_ctx.1` stands beside `sweep_num_ctx`."""
    found: dict[str, str] = {}
    for error in errors:
        found.setdefault(_input_of(error.field.split("."), form), error.message)
    return found


def _input_of(parts: Sequence[str], form: Form) -> str:
    first, second = parts[0], parts[1] if len(parts) > 1 else ""
    if first == "cells" and second.isdigit():
        return "cells" if int(second) < len(form.cells) or not form.other_cells else OTHER_CELLS
    if first == "prompts":
        filled = form.filled_prompts or [PROMPT_FIELDS[0]]
        one = filled[int(second)] if second.isdigit() and int(second) < len(filled) else filled[0]
        return {"name": one.name, "output_tokens": one.output}.get(parts[-1], one.text)
    prefix = {"sweep": SWEEP, "slo": SLO, "options": OPTION}.get(first)
    return prefix + second if prefix and prefix + second in MORE_FIELDS else first
