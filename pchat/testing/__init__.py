"""Fakes that are verified against the interfaces, and a whole server in memory."""
