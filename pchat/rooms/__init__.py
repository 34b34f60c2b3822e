"""The channel service: tree, access, administration, roster, session, service, and the command families."""
