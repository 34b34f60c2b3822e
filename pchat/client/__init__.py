"""A client of our own: enough of one to sign in, enter a room, say something and hear it."""
