"""What a watcher sees of a user: the one container he is in, with what the server adds. No I/O.

Source: docs/spec/presence.md sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping

from pchat.frontend.aggregate import CATEGORY, OFFLINE_STATE
from pchat.frontend.containers import BLOCKED, DEFAULT
from pchat.frontend.documents import Shown, contact_card, services
from pchat.frontend.presentities import Presentity
from pchat.frontend.publications import SERVER, Publication

#: What a watcher gets who names no categories.
USUAL_CATEGORIES = ("calendarData", "contactCard", "note", "services", CATEGORY)

#: Payloads of one user that a watcher is sent, bytes: he did not choose their size, and thousands may watch.
SHOWN_BYTES = 64 * 1024

View = Mapping[str, tuple[Shown, ...]]
#: What is seen of people who do not exist, or whose presence is not for the watcher.
UNKNOWN: View = {}


def _shown(row: Publication) -> Shown:
    return Shown(row.key.instance, row.published_at, row.payload)


def view_of(presentity: Presentity, container: int) -> View:
    """Collect what the members of a container see.

    Args:
        presentity: Whose presence it is.
        container: The watcher's container; never 1 to 3, which are nobody's but the user's.

    Returns:
        Instances by category name; a category that is not there has none.
    """
    user = presentity.user
    since = presentity.loaded_at
    card = Shown(0, since, contact_card(user.shown_name, user.email))
    if container == DEFAULT:
        return {"contactCard": (card,)}
    found: dict[str, list[Shown]] = {}
    state = Shown(1, presentity.offline_since, OFFLINE_STATE.payload())
    left = SHOWN_BYTES
    for row in presentity.table.in_container(container):
        if row.key.category != CATEGORY:
            left -= len(row.payload)
            if left < 0:
                continue
            found.setdefault(row.key.category, []).append(_shown(row))
        elif row.owner == SERVER:
            state = _shown(row)
    found[CATEGORY] = [state]
    found.setdefault("contactCard", [card])
    if container != BLOCKED and presentity.online:
        found.setdefault("services", [Shown(0, since, services(user.uri))])
    return {name: tuple(instances) for name, instances in found.items()}
