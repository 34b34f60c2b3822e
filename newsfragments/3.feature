The whole channel service. Users find rooms by name, people, category, add-in and presence; they make and change rooms,
give roles, and ask for rosters, roles, rights, principals and add-ins. Members are invited to their rooms, live and
since a number, and whoever is in a room hears of changed rights. Clients keep preferences and read markers on the
server, and rooms tell how much is new. History is searched over several rooms by date, words, author or from a message
on: any word is found in any script, also parts of Chinese, Japanese, Thai, Lao, Khmer and Burmese text; case, accents,
harakat and width make no difference unless case is asked for. Topic feeds watch for words, phrases, people and one's
own name in followed rooms; hits are told live and listed at sign-in.

Operators keep groups of users and groups, whose rights follow membership at once (`pchatctl group`, `eligible`), find and
change accounts (`user set`, filters of `user list`), take policies back (`policy remove`), change
rooms whole with optimistic locking (`room set`, filters of `room list`), register add-ins (`addin`), search, remove and
replace messages and clear rooms beside people who post (`message`, `room clear`), and read an audit log of every change
(`audit list`). Administration is also served over HTTPS (`/api/v1`), with tokens that have scopes and expire (`token`)
and an OpenAPI description. `pchatctl backup`, `restore`, `report usage` and `test-message` copy the store, put it back,
count and probe.
`docs/conformance.md` tells of each rule, command and error code of the reference server where it is built, what
shows it and where we differ; `docs/administration.md` has every parameter of its 37 cmdlets.
* One user cannot keep the server from others: four of his commands run at a time, commands that wait are bounded in bytes, searches of words are interrupted after two seconds; names that look the same are the same.
* The administration side was attacked: copies of the store are made and put back safely (`pchatctl backup`, `restore`), web connections are bounded per address and by what clients take, and a token that is revoked stops what still waits with it.
* `pchatctl` names what is wrong and by its own name, tells which roles went by the names of rooms and groups, shows lists by name, settings with defaults and ranges, and the audit log in a width that can be read.
* `pchatctl user import` makes many accounts from CSV or JSON lines; messages are counted before they are removed (`--dry-run` counts only); new domains in scopes are remarked upon; shells complete names.
* Numbers of rooms, people, categories, add-ins and tokens are never given again; long lists of people are gone through in slices, and parts of the audit log are bounded in bytes, so that others never wait for them.
