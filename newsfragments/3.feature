Topic feeds: words, phrases, people and one's own name are watched for in followed rooms; hits are told live and listed at sign-in.
* Members are invited to their rooms, live and since a number; clients keep preferences and read markers on the server, and rooms tell how much is new.
* Groups of users and groups are kept in the store: rights follow membership at once, also through nested groups; `pchatctl group`, `eligible`, `user set`, filters of `user list`, `policy remove`.
* Users find rooms by name, people, category, add-in and presence, make and change rooms, give roles, and ask for rosters, roles, rights, principals and add-ins; whoever is in a room hears of changed rights.
* History is searched over several rooms by date, words, author or from a message on; administrators search, remove and replace messages and clear rooms (`pchatctl message`, `room clear`), in pieces beside people who post, with live notices, compliance events and audit.
