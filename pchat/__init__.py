"""pchat: a persistent chat server; the packages in reading order, the way of a message.

* `pchat.sip`: bytes to SIP messages, transactions, dialogs, and the connection that carries them.
* `pchat.auth`: who is it; NTLM handshake, signatures of every message.
* `pchat.frontend`: registration, provisioning, presence, subscriptions; it leads requests where they belong.
* `pchat.xccos`: commands, replies and notices, from and to XML.
* `pchat.rooms`: the channel service: the node tree, who may do what, joining, posting, reading.
* `pchat.directory`: people, groups and domains.
* `pchat.store`: what outlives the process: SQL, transactions, group commit.
* `pchat.fanout`: the committed message on its way to every session in the room.
* `pchat.web`: health, administration API.
* `pchat.admin`: `pchatctl`.
* `pchat.ops`: logs.
* `pchat.testing`: verified fakes and an in-memory server, installed for authors of plugins.
"""

__version__ = "0.1.0"
