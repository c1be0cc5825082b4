"""The folded part of the new-session form: what most sessions leave alone, as groups of inputs with their errors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks import suites
from benchmarks.presenters import session_form
from benchmarks.presenters.session_form import Form, PromptFields


@dataclass(frozen=True)
class Input:
    """One input. `kind`: line, numbers or text."""

    name: str
    label: str
    value: str
    example: str = ""
    error: str = ""
    kind: str = "line"
    begins: bool = False  # another of several things of the same fields


@dataclass(frozen=True)
class Group:
    """Inputs under one heading. `error`: what is wrong with them together. `layout`: one below the other, or grid."""

    title: str
    hint: str
    inputs: Sequence[Input]
    error: str = ""
    layout: str = "stack"
    add: int | None = None  # how many prompts there are with one more; None: no more
    own_only: bool = False  # of no use beside a whole suite


def groups(form: Form, errors: Mapping[str, str]) -> list[Group]:
    """The groups in their order, with what was typed."""

    def one(name: str, label: str, example: str = "", kind: str = "numbers") -> Input:
        return Input(name, label, form.text(name), example, errors.get(name, ""), kind)

    def grid(title: str, hint: str, fields: Mapping[str, tuple[str, str]], error: str = "") -> Group:
        return Group(title, hint, [one(name, *words) for name, words in fields.items()], errors.get(error, ""), "grid")

    prompts = [each for i, fields in enumerate(form.shown_prompts) for each in _prompt(i, fields, one)]
    more = len(form.shown_prompts) + 1
    return [
        Group(
            "Cells by name",
            f"Beside those ticked: {suites.NAMES}.",
            [one(session_form.OTHER_CELLS, "Names", "tg64@1024, c16, tg128[num_thread=4]", "line")],
            own_only=True,
        ),
        grid(
            "Sweep",
            f"Every cell is measured at each of these values, at most {suites.MOST_CELLS} cells in all.",
            session_form.SWEEP_FIELDS,
            "sweep",
        ),
        Group(
            "Prompts of your own",
            "Sent exactly as they are, behind a line that defeats the prompt cache; each is measured as a cell.",
            prompts,
            add=more if more <= suites.MOST_PROMPTS else None,
        ),
        grid(
            "Limits",
            "Goodput counts the requests of c1 to c8 that meet all of these.",
            session_form.SLO_FIELDS,
            "slo",
        ),
        grid("Options for every request", "What is left empty is pinned or Ollama's own.", session_form.OPTION_FIELDS),
    ]


def _prompt(place: int, fields: PromptFields, one: Callable[..., Input]) -> list[Input]:
    number = f" {place + 1}" if place else ""
    return [
        replace(one(fields.name, f"Name of prompt{number or ' 1'}", "haiku", "line"), begins=place > 0),
        one(fields.text, f"Text{number}", "Write a haiku about benchmarks.", "text"),
        one(fields.output, f"Output tokens{number}, at most", session_form.PROMPT_OUTPUT_TOKENS),
    ]
