"""The channel service: tree, access, administration, then roster, session, service and one module a command family."""
