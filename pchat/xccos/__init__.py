"""XCCOS: codes, parser, commands, writer; no I/O, no rules."""
