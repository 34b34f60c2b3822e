"""From a committed message to every session in the room: rendering, sessions, delivery."""
