"""The server as a process: logs, signals, what is said at the start."""
