"""When an answer's pieces are due. A profile is a model of the truth server, by its name.

A token is due when the model would have made it; a piece is sent when the last of its tokens is due. So a piece of
several tokens, or one that had to wait for the rest of a character, comes later than its first token was made: as with
Ollama, nobody outside can see that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

DEFAULT_TOKENS = 64
STEADY_PER_S = 50.0
FAST_PER_S = 300.0
FIRST_TOKEN_S = 0.08
# Bursts: ten tokens 4 ms apart, then nothing for a fifth of a second.
BURST_TOKENS, BURST_GAP_S, BURST_PAUSE_S = 10, 0.004, 0.2
# A slow start: the first token late, the next ten slowly, then the full speed.
SLOW_FIRST_S, SLOW_TOKENS, SLOW_GAP_S, SLOW_THEN_GAP_S = 0.6, 10, 0.05, 0.01
SEVERAL_TOKENS, SEVERAL_PER_S = 4, 80.0
# One token per byte: a character is sent when its last byte is there. All kinds of length, the last of several parts.
CHARACTERS = ("é", "語", "🙂", "a", "\u0928\u0940", "👩\u200d🔧")
EARLY_HALF_S = 0.006


class Piece(NamedTuple):
    """One line of the stream: due so many seconds after the request was there, its text, the tokens in it.

    `early_half_s`: the first half of the line's bytes is sent so much before, cut inside a character where there is a
    long one. It is there when the second half is.
    """

    due_s: float
    text: str
    tokens: int = 1
    early_half_s: float = 0.0


@dataclass(frozen=True)
class Profile:
    """`due_s(i)`: when token i is made, in seconds after the request. `pieces` groups tokens into lines."""

    name: str
    what: str
    due_s: Callable[[int], float]
    pieces: Callable[[Profile, int], Iterator[Piece]]


def word(position: int) -> str:
    """A token's text. Neighbours differ: Ollama ends a stream of equal pieces."""
    return f" w{position % 1000}"


def one_by_one(profile: Profile, tokens: int) -> Iterator[Piece]:
    """A line per token."""
    return (Piece(profile.due_s(position), word(position)) for position in range(tokens))


def several(profile: Profile, tokens: int) -> Iterator[Piece]:
    """A line per four tokens; the rest in the last."""
    for begin in range(0, tokens, SEVERAL_TOKENS):
        members = range(begin, min(tokens, begin + SEVERAL_TOKENS))
        yield Piece(profile.due_s(members[-1]), "".join(map(word, members)), len(members))


def bytewise(profile: Profile, tokens: int) -> Iterator[Piece]:
    """A token per byte, held back until the character is whole; an unfinished last one comes as a replacement."""
    begin = position = 0
    while begin < tokens:
        text = CHARACTERS[position % len(CHARACTERS)]
        end = begin + len(text.encode())
        if end > tokens:
            yield Piece(profile.due_s(tokens - 1), "\ufffd", tokens - begin)
            return
        yield Piece(profile.due_s(end - 1), text, end - begin, EARLY_HALF_S)
        begin, position = end, position + 1


def evenly(per_s: float, first_s: float = FIRST_TOKEN_S) -> Callable[[int], float]:
    """Tokens at one rate."""
    return lambda position: first_s + position / per_s


def in_bursts(position: int) -> float:
    """Ten tokens in quick succession, a pause, ten more."""
    burst, within = divmod(position, BURST_TOKENS)
    return FIRST_TOKEN_S + burst * (BURST_TOKENS * BURST_GAP_S + BURST_PAUSE_S) + within * BURST_GAP_S


def slowly_at_first(position: int) -> float:
    """A late first token, ten slow ones, then the full speed."""
    slow = min(position, SLOW_TOKENS)
    return SLOW_FIRST_S + slow * SLOW_GAP_S + (position - slow) * SLOW_THEN_GAP_S


def at_once(position: int) -> float:
    """As fast as the line takes them."""
    return 0.0


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("steady", "50 tok/s, evenly", evenly(STEADY_PER_S), one_by_one),
        Profile("bursty", "10 tokens 4 ms apart, a pause of 0.2 s, again", in_bursts, one_by_one),
        Profile("slow-start", "first token after 0.6 s, ten at 20 tok/s, then 100 tok/s", slowly_at_first, one_by_one),
        Profile("multibyte", "a token per byte, characters held back until whole", evenly(STEADY_PER_S), bytewise),
        Profile("several", "4 tokens a line, 80 tok/s", evenly(SEVERAL_PER_S), several),
        Profile("fast", "300 tok/s, evenly", evenly(FAST_PER_S), one_by_one),
        Profile("flood", "as many lines as asked for, as fast as they are taken", at_once, one_by_one),
    )
}
TIMED = tuple(name for name in PROFILES if name != "flood")
LONG_LINE = "long-line"  # no profile: one line that does not end
