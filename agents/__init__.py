"""The server's record of machines: clients, hardware, models, credentials. The program they run is `agent/`."""
