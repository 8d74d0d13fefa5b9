"""The agent's decisions: events and times in, effects out; no clocks, sockets or files."""
