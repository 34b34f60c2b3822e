"""pchat: a persistent chat server; the packages in reading order, the way of a message.

* `pchat.sip`: bytes to SIP messages, transactions, dialogs, and the connection that carries them.
* `pchat.auth`: who is it; NTLM handshake, signatures of every message.
* `pchat.frontend`: registration, provisioning, presence, subscriptions; it leads requests where they belong.
* `pchat.xccos`: commands, replies and notices, from and to XML.
* `pchat.rooms`: the channel service: the node tree, who may do what, joining, posting, reading; and the rules
  of administration.
* `pchat.topics`: topic feeds: whom a message concerns although he is not in its room.
* `pchat.directory`: people, groups and domains.
* `pchat.store`: what outlives the process: SQL, transactions, group commit.
* `pchat.fanout`: the committed message on its way to every session in the room.
* `pchat.web`: the HTTP site, health.
* `pchat.admin`: `pchatctl`, and the administration interface that it talks to, also over HTTPS.
* `pchat.client`: a client of our own, for synthetic transactions and load.
* `pchat.config`: `pchat.toml`.
* `pchat.ops`: logs, signals, what is said at the start.
* `pchat.testing`: verified fakes and an in-memory server, installed for authors of plugins.

`pchat.server` wires all of them, with the chapters `pchat.foundation` and `pchat.channel`; `pchat.listening`
opens the doors, `pchat.tap` is what twistd calls. `pchat.interfaces` holds the seams between packages,
`pchat.errors` the families of errors; `pchat.words` cuts texts for searches and topic feeds,
`pchat.characters` tells what is alike in them, `pchat.ticks` counts time.
"""

__version__ = "0.1.0"
