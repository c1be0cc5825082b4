"""The program that runs on a machine (`obt_agent`) and its simulator. The server's record of machines is `agents/`."""
