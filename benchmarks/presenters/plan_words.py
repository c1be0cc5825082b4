"""What cells and budgets are called on the pages that plan."""

CELL_WORDS = {
    "load": "time to load the model, page cache warm",
    "pp128": "prefill of 128 tokens",
    "pp512": "prefill of 512 tokens",
    "pp2048": "prefill of 2,048 tokens",
    "pp8192": "prefill of 8,192 tokens",
    "tg128": "decode of 128 tokens",
    "tg128@2048": "decode of 128 tokens after 2,048",
    "tg128@8192": "decode of 128 tokens after 8,192",
    "chat512/128": "512 tokens in, 128 out: TTFT, ITL, end to end",
    "c1": "one request, 512 tokens in, 128 out",
    "c2": "two such requests at the same time",
    "c4": "four such requests at the same time",
    "c8": "eight such requests at the same time",
    "embed256x1": "embedding models: one text of 256 tokens",
    "embed256x32": "embedding models: 32 texts of 256 tokens",
}
BUDGET_WORDS = {"quick": "Quick", "standard": "Standard", "full": "Full"}
