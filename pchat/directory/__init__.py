"""People, groups and domains: people (the model), local (kept in the store)."""
