"""What `make up` runs: checks, then database, server and agent as child processes, watched and stopped in order.

`supervisor.main` is the whole way in one place. Nothing here imports Django before the database answers.
"""
