"""Lets twistd know the command ``pchat``; there is never an ``__init__.py`` beside this file."""

from twisted.application.service import ServiceMaker

pchat = ServiceMaker(
    "pchat",
    "pchat.tap",
    "Persistent chat rooms for Lync and Skype for Business clients.",
    "pchat",
)
