"""Text that people and machines give us for names and notes, made harmless to show in a line."""

import unicodedata

# They turn the reading direction of what follows, so that a name could dress up as something else.
DIRECTION_MARKS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def one_line(text: str) -> str:
    """Without control characters and direction marks, white space folded, trimmed. Emoji and all scripts stay."""
    kept = "".join(
        " " if _is_control(character) else character for character in text if character not in DIRECTION_MARKS
    )
    return " ".join(kept.split())


def lines(text: str) -> str:
    """The same for a note of several lines."""
    return "\n".join(one_line(line) for line in text.splitlines()).strip()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like it gets an apostrophe."""
    return f"'{text}" if text.startswith(STARTS_OF_FORMULAS) else text


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
