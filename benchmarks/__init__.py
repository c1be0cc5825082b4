"""What is measured: suites, sessions, jobs, results; their lifecycle, pages, live updates and user API."""
