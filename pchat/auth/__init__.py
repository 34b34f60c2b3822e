"""Who is it: ntlm (the handshake's bytes), signature (each message), accounts, throttle and passwords,
proving (the check of one), handshake, and negotiation (a connection's sign-in) above them all.
"""
