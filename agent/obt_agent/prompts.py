"""Prompts of a wanted number of tokens that no prompt cache has seen: a fresh nonce first, common words after it.

Tokens cannot be counted from outside, so the length in characters is learned from Ollama's own `prompt_eval_count`:
two short probes give the model's tokens per character, and each answer corrects the length for its target. The text
after the nonce is always the same, so the count varies only by what the nonce's characters become.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Optional

from .contract import Prompt
from .validity import prompt_tolerance

# Digits: every current tokeniser cuts them evenly (one by one, or in threes), so a nonce costs the same each time.
NONCE_ALPHABET = "0123456789"
NONCE_CHARACTERS = 16  # 53 bits
SHORTEST_NONCE_CHARACTERS = 8  # 26 bits, for prompts of a few tokens
# Above this length the longer nonce is a small part of the prompt, whatever the tokeniser.
LONG_NONCE_FROM_CHARACTERS = 64

PROBE_CHARACTERS = (200, 600)
PROBE_OUTPUT_TOKENS = 16  # of the longer one: shows the decoding speed
# Until a model has been probed: between one token per byte and one per word.
FIRST_GUESS_TOKENS_PER_CHARACTER = 0.25
MOST_TOKENS_PER_CHARACTER = 1.5

WORDS = (
    "the time of day when people walk home from work and talk about what they have seen there is one that many like "
    "best because it is neither early nor late and nobody asks them to be anywhere else some stop at a small shop to "
    "buy bread and milk or a bag of red apples while others go on along the river where boats pass under the old "
    "bridge and children throw stones into the water to see how far the rings will go before they are lost an open "
    "window lets out the sound of a radio and the smell of soup with onions in it and somewhere a dog can be heard "
    "that wants to come in later the lamps are lit along the street and a train leaves the station for the coast with "
    "letters and newspapers and a few tired people who read or sleep until the sea can be seen from the left side of "
    "the carriage again the next morning will begin with rain the paper says but by noon the sky should be clear and "
    "the wind will turn to the south so that the boats can sail out between the islands and return with fish for the "
    "market on the square where the clock has been five minutes slow for as long as anyone in the town can remember"
)


def new_nonce(characters: int = NONCE_CHARACTERS) -> str:
    """Random digits, different for every request."""
    return "".join(secrets.choice(NONCE_ALPHABET) for _ in range(characters))


def body(characters: int) -> str:
    """The first `characters` characters of the endless text, cut anywhere."""
    if characters <= 0:
        return ""
    unit = f" {WORDS}."
    return (unit * (characters // len(unit) + 1))[:characters]


@dataclass(frozen=True)
class PromptText:
    """What is sent, and the nonce it starts with."""

    text: str
    nonce: str

    def described(self, target_tokens: int) -> Prompt:
        """The record that is kept of it: never the text, which can be made again from nonce and length."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        return Prompt(target_tokens=target_tokens, characters=len(self.text), sha256=digest, nonce=self.nonce)


def write_prompt(characters: int) -> PromptText:
    """A prompt of exactly so many characters (at least the shortest nonce's)."""
    long_enough = characters >= LONG_NONCE_FROM_CHARACTERS
    nonce = new_nonce(NONCE_CHARACTERS if long_enough else SHORTEST_NONCE_CHARACTERS)
    return PromptText(nonce + body(characters - len(nonce)), nonce)


def fixed_prompt(text: str) -> PromptText:
    """Somebody's own text, with a nonce and a newline before it."""
    nonce = new_nonce()
    return PromptText(f"{nonce}\n{text}", nonce)


class Calibration:
    """What one model's tokeniser makes of the text, learned from its counts.

    Lengths are in characters, counts in tokens.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}  # characters → tokens, the latest count for each length
        self._settled: dict[int, int] = {}  # target tokens → characters found for it

    @property
    def known(self) -> bool:
        """Whether there is enough to predict from."""
        return len(self._seen) >= 2

    def observe(self, characters: int, tokens: Optional[int], target_tokens: int = 0) -> None:
        """Learn from one answer. With its target, also correct the length used for that target the next time.

        A count below half of what the earlier ones predict says nothing about the tokeniser: a part of the prompt was
        taken from the cache, or cut off at the context's end. It is not learned from.
        """
        if not tokens or tokens < 1:
            return
        if self.known and tokens * 2 < characters * self.tokens_per_character():
            return
        self._seen[characters] = tokens
        if target_tokens and abs(tokens - target_tokens) * 2 > prompt_tolerance(target_tokens):
            self._settled[target_tokens] = self._nearest(characters, tokens, target_tokens)
        elif target_tokens:
            self._settled[target_tokens] = characters

    def characters_for(self, target_tokens: int) -> int:
        """The best length known for this many tokens."""
        if target_tokens in self._settled:
            return self._settled[target_tokens]
        if not self._seen:
            return max(SHORTEST_NONCE_CHARACTERS, round(target_tokens / FIRST_GUESS_TOKENS_PER_CHARACTER))
        characters = min(self._seen, key=lambda length: abs(self._seen[length] - target_tokens))
        return self._nearest(characters, self._seen[characters], target_tokens)

    def tokens_per_character(self) -> float:
        """The slope of the counts seen; of one count, its share."""
        if not self._seen:
            return FIRST_GUESS_TOKENS_PER_CHARACTER
        short, long = min(self._seen), max(self._seen)
        if long > short and self._seen[long] > self._seen[short]:
            return (self._seen[long] - self._seen[short]) / (long - short)
        return self._seen[long] / long

    def _nearest(self, characters: int, tokens: int, target_tokens: int) -> int:
        moved = characters + round((target_tokens - tokens) / self.tokens_per_character())
        return max(SHORTEST_NONCE_CHARACTERS, moved)


def probe_lengths(num_ctx: int) -> list[int]:
    """Lengths of the probes, in characters: short enough for the context even at more than a token per character."""
    most = int(num_ctx / MOST_TOKENS_PER_CHARACTER) - 1
    return sorted({min(length, most * share // 2) for share, length in zip((1, 2), PROBE_CHARACTERS)})
