"""Attacks on a whole server: what a hostile client, or a stranger, must not get."""
