"""Which properties of directory objects can be filtered and sorted, and how.

Docs: aad-advanced-queries (the tables 'Support for filter by properties' and 'Support for
sorting'), user, group and orgcontact resources. A property that is not listed supports nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.local.graph.strict.filters import Use

_SAME: Final = frozenset({"eq", "in"})
_ORDER: Final = frozenset({"ge", "le"})
_WITH_ENDS: Final = frozenset({"mail", "otherMails", "proxyAddresses", "userPrincipalName"})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Queryable:
    """What one type supports: by default, and only as an advanced query.

    By default the properties of `same` can be compared by `eq` and `in`, those of `order` by `ge`
    and `le`, those of `starts` by `startsWith`, and those of `sort` sorted.
    """

    same: frozenset[str]
    order: frozenset[str]
    starts: frozenset[str]
    advanced: frozenset[str]
    sort: frozenset[str]
    advanced_sort: frozenset[str]

    def supports(self, use: Use, *, advanced: bool) -> bool | None:
        """Return whether a use in a filter is supported; None if it never is."""
        name, word = use.path.partition("/")[0], use.operator
        if name not in self.same | self.advanced:
            return None
        if word in {"gt", "lt", "contains"} or (word == "endswith" and name not in _WITH_ENDS):
            return None
        if word in {"ne", "endswith"} or use.null or name not in self.same:
            return advanced
        if word in _SAME:
            return True
        return advanced or name in (self.order if word in _ORDER else self.starts)

    def sorts(self, name: str, *, advanced: bool) -> bool:
        """Return whether `$orderby` is supported for a property."""
        return name in self.sort or (advanced and name in self.advanced_sort)


_NAMES: Final = _words("department displayName givenName jobTitle mail mailNickname surname")
_ADDRESS: Final = _words("city country state")
_SYNCED: Final = _words("onPremisesSecurityIdentifier onPremisesSyncEnabled")
_LISTS: Final = _words("otherMails proxyAddresses")
_SORT: Final = _words("createdDateTime deletedDateTime")

QUERYABLE: Final[Mapping[str, Queryable]] = {
    "user": Queryable(
        same=_NAMES
        | _ADDRESS
        | _SYNCED
        | _LISTS
        | _words(
            "accountEnabled ageGroup assignedLicenses assignedPlans businessPhones "
            "consentProvidedForMinor createdDateTime creationType deletedDateTime employeeId id "
            "identities imAddresses isResourceAccount onPremisesUserPrincipalName usageLocation "
            "userPrincipalName userType"
        ),
        order=_NAMES
        | _ADDRESS
        | _LISTS
        | _words("createdDateTime deletedDateTime imAddresses onPremisesUserPrincipalName")
        | _words("usageLocation userPrincipalName"),
        starts=_NAMES
        | _ADDRESS
        | _LISTS
        | _words("employeeId imAddresses onPremisesUserPrincipalName usageLocation")
        | _words("userPrincipalName"),
        advanced=_words(
            "companyName employeeHireDate employeeType mobilePhone officeLocation "
            "onPremisesExtensionAttributes onPremisesImmutableId onPremisesLastSyncDateTime "
            "onPremisesSamAccountName passwordPolicies postalCode preferredLanguage "
            "showInAddressList streetAddress"
        ),
        sort=_words("displayName userPrincipalName"),
        advanced_sort=_SORT,
    ),
    "group": Queryable(
        same=_SYNCED
        | _words("classification createdDateTime description displayName groupTypes id mail")
        | _words("mailEnabled mailNickname proxyAddresses securityEnabled"),
        order=_words("createdDateTime description displayName mail mailNickname"),
        starts=_words("description displayName mail mailNickname proxyAddresses"),
        advanced=frozenset(),
        sort=_words("displayName"),
        advanced_sort=_words("deletedDateTime"),
    ),
    "orgContact": Queryable(
        same=_NAMES | _words("companyName id onPremisesSyncEnabled proxyAddresses"),
        order=_NAMES | _words("companyName"),
        starts=_NAMES | _words("companyName proxyAddresses"),
        advanced=frozenset(),
        sort=frozenset(),
        advanced_sort=_words("createdDateTime displayName"),
    ),
    "directoryObject": Queryable(
        same=_words("id"),
        order=frozenset(),
        starts=frozenset(),
        advanced=frozenset(),
        sort=frozenset(),
        advanced_sort=frozenset(),
    ),
}
