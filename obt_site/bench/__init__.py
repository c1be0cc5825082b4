"""The proofs behind what OBT promises of its pages: their weight, and that much data makes none of them slow.

Run with the others by `make bench` (`agent/bench/`), or alone: BENCH="--only pages".
"""
