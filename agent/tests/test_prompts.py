"""Prompts hit their length on tokenisers of every kind, and never repeat."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable

import pytest

from agent.obt_agent.prompts import Calibration, body, probe_lengths, write_prompt
from agent.obt_agent.validity import prompt_tolerance
from agent.simulator.tokenizer import encode

Tokenise = Callable[[str], int]


def bytes_with_merges(text: str) -> int:
    """A byte per token, but for pairs of common letters: what the tiny random models do."""
    return 1 + len(re.findall(r"[etaoinshrdlu]{2}|.", text, re.DOTALL))


def words(text: str) -> int:
    """A token per word with its space, numbers in threes: what large vocabularies do to common text."""
    return 1 + len(re.findall(r" ?[a-z]+|\d{1,3}|.", text, re.DOTALL))


def long_tokens(text: str) -> int:
    """Six characters per token: a tokeniser that knows phrases."""
    return math.ceil(len(text) / 6)


def single_bytes(text: str) -> int:
    return len(text.encode())


TOKENISERS = [bytes_with_merges, words, long_tokens, single_bytes, lambda text: len(encode(text))]


def calibrated(tokenise: Tokenise, num_ctx: int = 4096) -> Calibration:
    """What the engine does first: two probes."""
    calibration = Calibration()
    for characters in probe_lengths(num_ctx):
        calibration.observe(characters, tokenise(write_prompt(characters).text))
    return calibration


def hit(calibration: Calibration, tokenise: Tokenise, target: int) -> int:
    """Send one prompt for a target, learn from it, and return its tokens."""
    text = write_prompt(calibration.characters_for(target)).text
    tokens = tokenise(text)
    calibration.observe(len(text), tokens, target)
    return tokens


@pytest.mark.parametrize("tokenise", TOKENISERS)
@pytest.mark.parametrize("target", [16, 32, 128, 512, 2048, 8192])
def test_after_two_probes_and_two_warmups_every_prompt_is_on_target(tokenise: Tokenise, target: int) -> None:
    calibration = calibrated(tokenise)
    hit(calibration, tokenise, target)
    hit(calibration, tokenise, target)
    measured = [hit(calibration, tokenise, target) for _ in range(20)]
    on_target = [abs(tokens - target) <= prompt_tolerance(target) for tokens in measured]
    assert sum(on_target) >= 19, measured


def test_a_target_found_once_is_kept_while_another_is_measured() -> None:
    calibration = calibrated(words)
    for _ in range(3):
        hit(calibration, words, 512)
    found = calibration.characters_for(512)
    hit(calibration, words, 64)
    assert calibration.characters_for(512) == found


def test_a_missing_count_teaches_nothing() -> None:
    calibration = Calibration()
    calibration.observe(100, None, 20)
    calibration.observe(100, 0, 20)
    assert not calibration.known
    assert calibration.tokens_per_character() == 0.25


def test_a_count_shrunken_by_the_cache_teaches_nothing() -> None:
    calibration = Calibration()
    calibration.observe(400, 100, 100)
    calibration.observe(2000, 500, 500)
    before = calibration.characters_for(500)
    calibration.observe(2000, 30, 500)
    assert calibration.characters_for(500) == before
    assert calibration.tokens_per_character() == 0.25


def test_every_prompt_starts_differently_and_the_rest_is_the_same() -> None:
    prompts = [write_prompt(400) for _ in range(200)]
    assert len({prompt.text[:16] for prompt in prompts}) == 200
    assert len({prompt.text[16:] for prompt in prompts}) == 1


@pytest.mark.parametrize("characters", [8, 9, 40, 63, 64, 65, 5000])
def test_a_prompt_has_exactly_the_asked_characters(characters: int) -> None:
    prompt = write_prompt(characters)
    assert len(prompt.text) == characters
    assert prompt.text.startswith(prompt.nonce)


def test_a_prompt_is_never_shorter_than_its_nonce() -> None:
    assert len(write_prompt(1).text) == 8
    assert body(0) == ""


def test_the_record_of_a_prompt_names_it_without_keeping_it() -> None:
    prompt = write_prompt(300)
    record = prompt.described(64)
    assert record.sha256 == hashlib.sha256(prompt.text.encode()).hexdigest()
    assert (record.target_tokens, record.characters, record.nonce) == (64, 300, prompt.nonce)


@pytest.mark.parametrize("num_ctx", [128, 512, 4096])
def test_probes_fit_the_context_even_at_a_token_per_byte(num_ctx: int) -> None:
    lengths = probe_lengths(num_ctx)
    assert len(lengths) == 2
    assert max(lengths) + 16 + 1 <= num_ctx
