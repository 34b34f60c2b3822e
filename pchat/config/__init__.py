"""The file ``pchat.toml``: `sections` lists every key, `reading` checks a file, `rendering` writes one."""

from __future__ import annotations

from pchat.config.reading import listeners_by_key, load_config
from pchat.config.rendering import render_config
from pchat.config.sections import (
    AuthConfig,
    ComplianceConfig,
    Config,
    LogConfig,
    ServerConfig,
    SipConfig,
    SipLimits,
    SipListener,
    StoreConfig,
    WebConfig,
    WebLimits,
    WebListener,
)

__all__ = [
    "AuthConfig",
    "ComplianceConfig",
    "Config",
    "LogConfig",
    "ServerConfig",
    "SipConfig",
    "SipLimits",
    "SipListener",
    "StoreConfig",
    "WebConfig",
    "WebLimits",
    "WebListener",
    "listeners_by_key",
    "load_config",
    "render_config",
]
