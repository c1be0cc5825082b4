"""The suites there are, and the budgets that bound them."""

# Seconds per model. What a budget sheds is the agent's `measure_plan.py`.
BUDGETS_S = {"quick": 180.0, "standard": 900.0, "full": 2700.0}

# A repetition more is taken while a cell's interval is too wide, up to so many; a quick look takes none.
MOST_REPETITIONS: dict[str, int | None] = {"quick": None, "standard": 15, "full": 15}

SUITES = {
    "standard": (
        "load", "pp128", "pp512", "pp2048", "tg128", "chat512/128", "tg128@2048", "c1", "c2", "c4", "c8",
        "pp8192", "tg128@8192", "embed256x1", "embed256x32",
    )
}  # fmt: skip

SUITE_VERSIONS = {"standard": "1"}
"""By suite: grows when a cell of the same name no longer measures the same thing.

That is: other tokens or context by name, another text behind the prompts, another number of warm-ups, another order of
steps around a request, another formula or gate. Not for cells added or left out, nor for what a cell's conditions say
themselves. Results of different versions do not compare.
"""

TITLES = {
    "load": "Load",
    "prefill": "Prefill",
    "decode": "Decode",
    "chat": "Chat",
    "concurrency": "Concurrency",
    "embed": "Embedding",
    "prompt": "Fixed prompt",
}
