"""The OBT agent: runs on a machine, measures its local Ollama, and reports to the server.

Self-contained: it needs requests, psutil and nvidia-ml-py, and imports nothing from Django or the server. The server
imports the wire contract and the metric formulas from here.
"""

__version__ = "0.1.0"
