"""Tiny language models with random weights, as GGUF files that a real Ollama loads and runs.

Weights cannot be shipped or downloaded everywhere; random ones cost 3 MB and answer nonsense at full speed, which is
all that measuring needs. Three things are made certain by construction rather than by luck:
- *it never stops early*: dimension 0 of the residual stream is the same for every token and is touched by no block, so
  an output row's weight there is a constant bias. Printable tokens get one; bos, eos and all others get zero rows;
- *it prints ASCII*, for the same reason: no chunk is held back for an unfinished character;
- *it never repeats a token for long* (Ollama ends a stream after 30 equal chunks, without a `done`): each output row
  points away from its own token's embedding.
"""

from __future__ import annotations

import argparse
import dataclasses
import string
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]

CONTEXT_LENGTH_TOKENS = 16_384
ROPE_BASE = 10_000.0
RMS_EPSILON = 1e-5
MERGED_LETTERS = "etaoinshrdlu"
BOS, EOS = "<|begin|>", "<|end|>"
# How strongly printable tokens are preferred to the rest, in standard deviations of a logit.
PRINTABLE_BIAS = 8.0
# How strongly a token avoids following itself, likewise.
SELF_AVOIDANCE = 6.0
# Blocks add this little to the residual stream, so that the last token decides most and the context some.
BLOCK_OUTPUT_SCALE = 0.3


@dataclasses.dataclass(frozen=True)
class TinyModel:
    """What distinguishes one tiny model from another. Equal values give equal bytes, another seed another digest."""

    name: str
    seed: int = 1
    embedding: int = 128
    blocks: int = 4
    heads: int = 4
    feed_forward: int = 256
    # 0: eos is never chosen. Above: the spread of its logit, in that of other tokens; 3 stops after some ten tokens.
    eos_spread: float = 0.0
    # Ollama then reports the capability `embedding` instead of `completion`.
    pools_to_embedding: bool = False


# What the tests and `serve` offer. Names with a tag, as /api/tags lists them.
NEVER_STOPS = TinyModel("obt-tiny:latest")
SLOWER = TinyModel("obt-small:latest", seed=2, embedding=192, blocks=6, heads=6, feed_forward=512)
STOPS_EARLY = TinyModel("obt-stops:latest", seed=3, eos_spread=3.0)
EMBEDS = TinyModel("obt-embed:latest", seed=4, pools_to_embedding=True)
TINY_MODELS = (NEVER_STOPS, SLOWER, STOPS_EARLY, EMBEDS)


def byte_characters() -> list[str]:
    """The printable stand-in of each byte 0 to 255 in GPT-2's vocabulary: itself, or a character from U+0100 on."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    stand_ins = iter(range(0x100, 0x200))
    return [chr(byte if byte in plain else next(stand_ins)) for byte in range(256)]


def merge_pairs() -> list[tuple[str, str]]:
    """All pairs of the commonest letters, each a token of its own. Ollama refuses a tokenizer without merges."""
    return [(first, second) for first in MERGED_LETTERS for second in MERGED_LETTERS]


def vocabulary() -> list[str]:
    """Every token in the order of its id: bytes, merged pairs, bos, eos."""
    return [*byte_characters(), *(first + second for first, second in merge_pairs()), BOS, EOS]


def is_printable(token: str) -> bool:
    """Whether a token's text is visible ASCII or a space, whose stand-in is not ASCII. Bos and eos have no text."""
    if token in {BOS, EOS}:
        return False
    visible = set(string.printable) - set(string.whitespace)
    return token == byte_characters()[0x20] or set(token) <= visible


def build_weights(model: TinyModel) -> dict[str, Weights]:
    """All tensors by their GGUF names, rows first (GGUF stores the shape reversed)."""
    random = np.random.default_rng(model.seed)
    tokens = embedding_rows(random, model)
    weights = {"token_embd.weight": tokens, "output.weight": output_rows(random, model, tokens)}
    weights["output_norm.weight"] = np.ones(model.embedding, np.float32)
    for block in range(model.blocks):
        weights.update({f"blk.{block}.{name}": value for name, value in block_weights(random, model).items()})
    return weights


def embedding_rows(random: np.random.Generator, model: TinyModel) -> Weights:
    """One random row per token; dimension 0 is the same for all, which later makes a bias."""
    rows = random.standard_normal((len(vocabulary()), model.embedding)).astype(np.float32)
    rows[:, 0] = 1.0
    return rows


def block_weights(random: np.random.Generator, model: TinyModel) -> dict[str, Weights]:
    """One transformer block. What it writes to the residual stream leaves dimension 0 alone."""
    size, wide = model.embedding, model.feed_forward
    shapes = {
        **{f"attn_{part}.weight": (size, size) for part in ("q", "k", "v", "output")},
        **{"ffn_gate.weight": (wide, size), "ffn_up.weight": (wide, size), "ffn_down.weight": (size, wide)},
    }
    weights = {name: scaled_normal(random, shape) for name, shape in shapes.items()}
    for name in ("attn_output.weight", "ffn_down.weight"):
        weights[name] *= BLOCK_OUTPUT_SCALE
        weights[name][0] = 0.0
    norm = np.ones(size, np.float32)
    return {**weights, "attn_norm.weight": norm, "ffn_norm.weight": norm.copy()}


def scaled_normal(random: np.random.Generator, shape: tuple[int, int]) -> Weights:
    """Random weights that keep the variance of what they are applied to."""
    normal: Weights = random.standard_normal(shape).astype(np.float32)
    return normal / np.float32(np.sqrt(shape[1]))


def output_rows(random: np.random.Generator, model: TinyModel, tokens: Weights) -> Weights:
    """The row that scores each token: random, against itself, biased towards printable ones; zero for the rest."""
    rows = scaled_normal(random, tokens.shape)
    own = tokens / np.linalg.norm(tokens[:, 1:], axis=1, keepdims=True)
    rows -= SELF_AVOIDANCE * own / np.sqrt(model.embedding)
    rows[:, 0] = PRINTABLE_BIAS  # times what the last norm leaves of 1.0, which is nearly all
    printable = np.array([is_printable(token) for token in vocabulary()])
    rows[~printable] = 0.0
    eos = vocabulary().index(EOS)
    if model.eos_spread:
        rows[eos] = model.eos_spread * scaled_normal(random, (1, model.embedding))[0]
        rows[eos, 0] = PRINTABLE_BIAS
    return rows.astype(np.float32)


def write_gguf(model: TinyModel, path: Path) -> None:
    """Write one model as a GGUF file of a few MB, F32. Overwrites."""
    writer = gguf.GGUFWriter(path, "llama")
    describe_architecture(writer, model)
    describe_tokenizer(writer)
    for name, tensor in build_weights(model).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def describe_architecture(writer: Any, model: TinyModel) -> None:
    """The keys of a llama: sizes, context, and how embeddings are pooled where they are."""
    writer.add_name(model.name.partition(":")[0])
    writer.add_context_length(CONTEXT_LENGTH_TOKENS)
    writer.add_embedding_length(model.embedding)
    writer.add_block_count(model.blocks)
    writer.add_feed_forward_length(model.feed_forward)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.heads)
    writer.add_rope_dimension_count(model.embedding // model.heads)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(RMS_EPSILON)
    writer.add_vocab_size(len(vocabulary()))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if model.pools_to_embedding:
        writer.add_pooling_type(gguf.PoolingType.MEAN)


def describe_tokenizer(writer: Any) -> None:
    """A byte-level BPE tokenizer: any text is in its vocabulary, mostly one token a character."""
    tokens = vocabulary()
    special = {BOS, EOS}
    kinds = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{first} {second}" for first, second in merge_pairs()])
    writer.add_bos_token_id(tokens.index(BOS))
    writer.add_eos_token_id(tokens.index(EOS))
    writer.add_add_bos_token(True)


def gguf_name(model: TinyModel) -> str:
    """The file name of a model, without characters that file systems mind."""
    return model.name.partition(":")[0] + ".gguf"


def main(arguments: list[str]) -> int:
    """The command line: write all tiny models into a folder."""
    parser = argparse.ArgumentParser(prog="python -m agent.real_ollama models")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    for model in TINY_MODELS:
        write_gguf(model, folder / gguf_name(model))
        print(folder / gguf_name(model), flush=True)
    return 0
