"""The distributed pidgin-sipe client, driven without a window system, as an acceptance client.

`client` runs in a child process (JSON lines in, JSON lines out); `remote` is the test's side of it;
`siplog` reads the SIP traffic from the client's own debug log.
"""
