"""The folded part of the new-session form: what most sessions leave alone, as groups of inputs with their errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks import suites
from benchmarks.presenters import session_form
from benchmarks.presenters.session_form import Form


@dataclass(frozen=True)
class Input:
    """One input. `kind`: line, numbers or text."""

    name: str
    label: str
    value: str
    example: str = ""
    error: str = ""
    kind: str = "line"


@dataclass(frozen=True)
class Group:
    """Inputs under one heading. `error`: what is wrong with them together. `layout`: one below the other, or grid."""

    title: str
    hint: str
    inputs: Sequence[Input]
    error: str = ""
    layout: str = "stack"


def groups(form: Form, errors: Mapping[str, str]) -> list[Group]:
    """The groups in their order, with what was typed."""

    def one(name: str, label: str, example: str = "", kind: str = "numbers") -> Input:
        return Input(name, label, form.text(name), example, errors.get(name, ""), kind)

    def grid(title: str, hint: str, fields: Mapping[str, tuple[str, str]], error: str = "") -> Group:
        return Group(title, hint, [one(name, *words) for name, words in fields.items()], errors.get(error, ""), "grid")

    prompt = [
        one(session_form.PROMPT_NAME, "Name of the prompt", "haiku", "line"),
        one(session_form.PROMPT_TEXT, "Text", "Write a haiku about benchmarks.", "text"),
        one(session_form.PROMPT_OUTPUT, "Output tokens, at most", session_form.PROMPT_OUTPUT_TOKENS),
    ]
    return [
        Group(
            "Cells by name",
            f"Beside those ticked: {suites.NAMES}.",
            [one(session_form.OTHER_CELLS, "Names", "tg64@1024, c16, tg128[num_thread=4]", "line")],
        ),
        grid(
            "Sweep",
            f"Every cell is measured at each of these values, at most {suites.MOST_CELLS} cells in all.",
            session_form.SWEEP_FIELDS,
            "sweep",
        ),
        Group(
            "A prompt of your own",
            "Sent exactly as it is, behind a line that defeats the prompt cache.",
            prompt,
            errors.get("prompts", ""),
        ),
        grid(
            "Limits",
            "Goodput counts the requests of c1 to c8 that meet all of these.",
            session_form.SLO_FIELDS,
            "slo",
        ),
        grid("Options for every request", "What is left empty is pinned or Ollama's own.", session_form.OPTION_FIELDS),
    ]
