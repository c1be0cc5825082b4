"""A real Ollama to measure and test against: built from source (`build`), with tiny random models (`models`), served
(`serve`).

Nothing here is part of the product. `python -m agent.real_ollama --help` lists what it does; what it makes is kept in
the tools folder (`tools.tools_dir`), outside the work tree, and used again.
"""
