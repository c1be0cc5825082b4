"""Fixed prompts: texts of a person's own, sent as they are behind a fresh nonce, each measured as a cell.

Its cell is `prompt-<name>/<output tokens>`. How many tokens a text has only the model knows, so the context is pinned
by its bytes, two to a token: more than any usual text needs. One that needs more fails with Ollama's own sentence, and
gets its room by naming `num_ctx`.
"""

import dataclasses
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from agent.obt_agent.contract import CellSpec
from benchmarks.suites.cells import (
    LEAST_OUTPUT_TOKENS,
    MOST_OUTPUT_TOKENS,
    MOST_TOKENS,
    REPETITIONS,
    WARMUPS,
    context_for,
)
from benchmarks.suites.parameters import shown
from obt_site.errors import FieldError

MOST_PROMPTS = 10
PROMPT_NAME_LENGTH = 40
TEXT_LENGTH = 50_000  # characters
BYTES_PER_TOKEN = 2  # fewer than in any language a tokenizer knows
NONCE_TOKENS = 32  # at most, with the newline that follows it

_NOT_IN_A_SLUG = re.compile(r"[^\w]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class FixedPrompt:
    """A text to be measured, exactly as it is, and the most tokens that may be answered."""

    name: str
    text: str
    output_tokens: int


def slug(name: str) -> str:
    """The name as it stands in the cell's: letters and digits of any script, small, joined by `-`."""
    return _NOT_IN_A_SLUG.sub("-", unicodedata.normalize("NFKC", name).casefold()).strip("-_")


def problems(prompts: Sequence[FixedPrompt]) -> list[FieldError]:
    """What is wrong with them, one message per field: `prompts.0.text`."""
    if len(prompts) > MOST_PROMPTS:
        return [FieldError("prompts", f"A session has at most {MOST_PROMPTS} prompts.")]
    found: list[FieldError] = []
    taken: dict[str, str] = {}
    for i, prompt in enumerate(prompts):
        own = {"name": _name_problem(prompt.name, taken), "text": _text_problem(prompt.text)}
        own["output_tokens"] = _output_problem(prompt.output_tokens)
        taken.setdefault(slug(prompt.name), prompt.name)
        found += [FieldError(f"prompts.{i}.{field}", problem) for field, problem in own.items() if problem]
    return found


def _name_problem(name: str, taken: dict[str, str]) -> str | None:
    if len(name) > PROMPT_NAME_LENGTH:
        return f"A prompt's name has at most {PROMPT_NAME_LENGTH} characters."
    if not slug(name):
        return "A prompt needs a name with a letter or a digit in it."
    if slug(name) in taken:
        return f"Another prompt is called “{taken[slug(name)]}” already; both would be prompt-{slug(name)}."
    return None


def _text_problem(text: str) -> str | None:
    if not text.strip():
        return "The text is empty."
    if len(text) > TEXT_LENGTH:
        return f"The text has {len(text)} characters; at most {TEXT_LENGTH} can be sent."
    if _SURROGATE.search(text):
        return "The text has half of a character (a lone surrogate), which UTF-8 cannot carry."
    if _REPLACEMENT in text:
        return "The text has � (U+FFFD) in it, the mark of text that was not UTF-8."
    control = _CONTROL.search(text)
    if control:
        return f"The text has a control character (U+{ord(control[0]):04X}); only tabs and new lines may be in it."
    return None


def _output_problem(tokens: int) -> str | None:
    if LEAST_OUTPUT_TOKENS <= tokens <= MOST_OUTPUT_TOKENS:
        return None
    return f"It asks for {shown(tokens)} output tokens; it can be {LEAST_OUTPUT_TOKENS} to {MOST_OUTPUT_TOKENS}."


def cell(prompt: FixedPrompt) -> CellSpec:
    """The cell of a prompt that has no problems."""
    name = f"prompt-{slug(prompt.name)}/{prompt.output_tokens}"
    tokens = len(prompt.text.encode()) // BYTES_PER_TOKEN + NONCE_TOKENS + prompt.output_tokens
    num_ctx = context_for(min(tokens, MOST_TOKENS))
    spec = CellSpec(name, "prompt", REPETITIONS, WARMUPS, 0, prompt.output_tokens, num_ctx)
    return dataclasses.replace(spec, text=prompt.text)
