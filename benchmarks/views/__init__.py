"""The pages of measuring: models, sessions, results. Each view parses, calls one verb or presenter, and renders."""
