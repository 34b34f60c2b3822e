"""``twistd -ny pchat.tac``, with the configuration's path in the environment variable PCHAT_CONFIG."""

import os

from twisted.application.service import Application

from pchat.tap import makeService

application = Application("pchat")
makeService({"config": os.environ.get("PCHAT_CONFIG", "pchat.toml")}).setServiceParent(application)
