"""SIP without I/O: uri, headers, message, stream, transaction, dialog; connection is the one Twisted module."""
