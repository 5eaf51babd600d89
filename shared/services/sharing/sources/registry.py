"""The sources that a share may have, in the order in which they are read."""

from typing import Final

from shared.services.sharing.sources.groups import Groups
from shared.services.sharing.sources.manual_contacts import ManualContacts
from shared.services.sharing.sources.org_contacts import OrgContacts
from shared.services.sharing.sources.source import Source
from shared.services.sharing.sources.users import Users

SOURCES: Final[tuple[Source, ...]] = (Users(), Groups(), OrgContacts(), ManualContacts())
