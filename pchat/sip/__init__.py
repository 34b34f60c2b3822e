"""SIP without I/O: headers, message, stream, transaction, dialog; connection is the one Twisted module."""
