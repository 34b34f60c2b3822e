A chat client signs in with NTLM over TLS, finds its rooms, talks, and reads back after a restart; `make run` starts a demo.
