"""What a simulated model says: an endless, seeded row of short words, one token each.

No two neighbours are equal: Ollama ends a stream without `done` after more than 30 identical chunks in a row, and a
benchmark should meet that only when it asks for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

ANSWER = "answer"
THINKING = "thinking"
TAG = "tag"

THINKING_TOKENS = 24
"""Length of a simulated train of thought, its two tags not counted."""

_WORD_TEXT = """
the one two red blue sun moon sky sea tree leaf bird fish hand road door wind rain snow fire lamp book page line ink pen
note word song drum bell gate wall roof bed cup tea milk salt corn rice plum pear fig oak elm ash fox owl bee ant cow
hen pig goat wolf bear deer hawk lake hill cave rock sand gold iron zinc café naïf über jour soir nuit walk run leap
turn look hear feel make give take hold keep lift pull push read draw play rest wake stay come go fast slow warm cold
soft hard near far high low old new big tiny dark pale deep wide thin kind calm bold true
"""
WORDS = tuple(_WORD_TEXT.split())
"""Each is one token of `tokenizer`, with the space before it."""

TWO_TOKEN_SIGNS = ("🙂", "🌍", "🎈", "🚲")
"""Characters whose UTF-8 bytes come as two tokens: the first yields no text."""


@dataclass(frozen=True)
class Token:
    """One generated token. `text` may be half a character; `is_end` marks the end-of-sequence token."""

    text: bytes
    channel: str = ANSWER
    is_end: bool = False


@dataclass(frozen=True)
class Manner:
    """How a model talks. `end_probability` is per token; `sign_every` puts a two-token sign after so many tokens."""

    end_probability: float = 0.0
    sign_every: int = 0
    thinks: bool = False


def speech(manner: Manner, rng: random.Random) -> Iterator[Token]:
    """Endless tokens; after an end token the caller stops asking."""
    if manner.thinks:
        yield from _thoughts(rng)
    for produced, word in enumerate(_words(rng), start=1):
        if rng.random() < manner.end_probability:
            yield Token(b"", is_end=True)
        if manner.sign_every and produced % manner.sign_every == 0:
            yield from _sign(rng)
        yield Token((word if produced == 1 else f" {word}").encode())


def _words(rng: random.Random) -> Iterator[str]:
    last = ""
    while True:
        word = rng.choice(WORDS)
        if word != last:
            yield word
        last = word


def _thoughts(rng: random.Random) -> Iterator[Token]:
    yield Token(b"<think>", TAG)
    for word, _ in zip(_words(rng), range(THINKING_TOKENS)):
        yield Token(f" {word}".encode(), THINKING)
    yield Token(b"</think>", TAG)


def _sign(rng: random.Random) -> Iterator[Token]:
    sign = rng.choice(TWO_TOKEN_SIGNS).encode()
    yield Token(sign[:2])
    yield Token(sign[2:])
