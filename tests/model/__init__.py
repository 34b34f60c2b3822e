"""The permission rules told a second time, and a server that is driven beside them."""
