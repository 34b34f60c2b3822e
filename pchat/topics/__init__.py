"""Topic feeds: saved filters of a user over the rooms he follows, evaluated as messages are posted.

Read `pchat.topics.definition` (what a feed is) first, then `matching` (which feeds catch a message),
`following` (who follows which room), `feeds` (all of it in memory), `hits` (from a post to its notices),
`commands` and `listing` (what clients ask); `service` wires them.

Source: docs/spec/persistent-chat-server.md section 5; docs/xccos-extensions.md ("Topic feeds").
"""
