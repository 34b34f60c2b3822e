"""From a committed message to every session in the room: order, rendering, delivery."""
