"""A made-up fleet with half a year of results, for looking around before anything is measured: `manage.py demo`.

Nothing of it was measured and all of it says so: every machine's Ollama and every result is marked as simulated. Its
documents have ids that only the demo gives out (`marks.py`), so `--remove` finds exactly them, also after an
interruption. Numbers come from each machine's memory bandwidth and each model's size; summaries, conditions and
comparison keys come from the code that makes those of real results.

| file | has |
|---|---|
| `marks.py` | ids that say "made up" |
| `machines.py` | twelve machines, what changed on them and when |
| `models.py` | three hundred models, and which machine has which |
| `speeds.py` | how fast a model is on a machine at a time |
| `samples.py` | the samples of one cell |
| `recording.py` | the telemetry around them |
| `history.py` | sessions over half a year: who measured what, and how it ended |
| `events.py` | what happened meanwhile, in sentences |
| `add.py`, `remove.py` | writing all of it, and taking it away again |
"""
