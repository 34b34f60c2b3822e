"""The load generator: many signed-in participants of one room on one core, in a process of its own.

Reading order: `ntlm` and `wire` (bytes), `participant` (one connection), `loop` (epoll), `generator`
(the program), `meter` (what it measures), `accounts` (whom it signs in).
"""
