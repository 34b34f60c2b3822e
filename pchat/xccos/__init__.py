"""XCCOS: codes, limits, parser, commands, blocks, writer; no I/O, no rules."""
