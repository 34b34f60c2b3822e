"""The response codes of XCCOS replies.

Source: docs/spec/xccos.md chapter 4 (numbers and texts are our own choice; 200 was captured).
"""

from __future__ import annotations

from enum import Enum


class ResponseCode(Enum):
    """A reply's number and symbolic name; several names may share a number."""

    SUCCESS_OK = 200
    ERROR_INVALID_ARGUMENT = 400
    ERROR_PERMISSION = 403
    ERROR_NO_SUCH_NODE = (404, "node")
    ERROR_NO_SUCH_PRINCIPAL = (404, "principal")
    ERROR_MSG_NOT_SUPPORTED = 405
    ERROR_DATA_COLLISION = (409, "collision")
    ERROR_DUPLICATE_NAME = (409, "name")
    ERROR_NODE_HIERARCHY_VIOLATION = (409, "hierarchy")
    ERROR_PRINCIPALS_ALREADY_DEFINED = (409, "principals defined")
    ERROR_PRINCIPALS_NOT_IN_SCOPE = (403, "scope")
    ERROR_PRESENTER_NOT_MEMBER = (403, "presenter")
    ERROR_NODE_DISABLED = 410
    ERROR_USER_NOT_JOINED = 412
    ERROR_LIMIT_EXCEEDED = 413
    ERROR_UNKNOWN_SERVER_ERROR = 500
    ERROR_DATABASE_CONNECTION = 503

    @property
    def number(self) -> int:
        """The value of ``resp/@code``."""
        value: int | tuple[int, str] = self.value
        return value[0] if isinstance(value, tuple) else value

    @property
    def symbol(self) -> str:
        """The text of ``resp``."""
        return self.name
