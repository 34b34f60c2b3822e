"""Who is it: ntlm (the handshake), signature (each message), negotiation (a connection's sign-in), throttle."""
