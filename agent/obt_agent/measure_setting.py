"""What a model is loaded with. A change of any of these options makes Ollama load it again."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .contract import CellSpec, PinnedOptions


class Setting(NamedTuple):
    """The options of one runner: context in tokens, layers on GPUs, threads, tokens a batch. None: Ollama's own."""

    num_ctx: int
    num_gpu: Optional[int] = None
    num_thread: Optional[int] = None
    num_batch: Optional[int] = None

    @property
    def options(self) -> dict[str, int]:
        """As a request says it: what is None is left out."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    @property
    def compute(self) -> tuple[Optional[int], ...]:
        """The part that decides how fast tokens are worked through, whatever the context."""
        return (self.num_gpu, self.num_thread, self.num_batch)


def setting_of(spec: CellSpec, pinned: PinnedOptions) -> Setting:
    """What a cell runs with: its own parameters where it has them, else the job's."""
    return Setting(
        spec.num_ctx,
        pinned.num_gpu if spec.num_gpu is None else spec.num_gpu,
        pinned.num_thread if spec.num_thread is None else spec.num_thread,
        pinned.num_batch if spec.num_batch is None else spec.num_batch,
    )


def is_inherited(setting: Setting, loaded: Optional[Setting]) -> bool:
    """Whether Ollama would leave the layers where they are: to it, no wish for `num_gpu` is met by any runner.

    Source: `needsReload` of Ollama's scheduler. `loaded`: None where another program may have loaded the model.
    """
    return setting.num_gpu is None and (loaded is None or loaded.num_gpu is not None)
