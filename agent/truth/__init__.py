"""A server that speaks enough of Ollama's API and sends every piece of an answer at a time that is known exactly.

It knows in advance when each piece is due, waits for that moment on the monotonic clock, and writes down when it really
was sent: `GET /truth`. On one machine that clock is the agent's own (`time.perf_counter_ns`), so what the agent saw can
be held against what happened. `python -m agent.truth` serves; `process.TruthProcess` runs it apart.
"""
