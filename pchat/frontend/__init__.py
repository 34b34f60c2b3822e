"""Standalone front end: user_agent (dispatch), registrar, provisioning, presence, subscriptions."""
