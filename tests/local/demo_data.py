"""Two companies, generated with Faker and a fixed seed: the same people every time.

Contoso has what real directories have: umlauts, accents, CJK names, people without mail, disabled
and hidden accounts, groups within groups.
"""

import random
import unicodedata
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from faker import Faker

CONTOSO: Final = "c0c0c0c0-0000-4000-8000-000000000001"
FABRIKAM: Final = "fabfabfa-0000-4000-8000-000000000002"
TAILSPIN: Final = "7a115f10-0000-4000-8000-000000000003"
_LOCALES: Final = ("de_DE", "fr_FR", "ja_JP", "pl_PL", "en_GB", "zh_CN", "es_ES")
_DEPARTMENTS: Final = ("Engineering", "Finance", "Legal", "Logistics", "Marketing")
_SEED: Final = 20261123

type Json = dict[str, Any]


@dataclass(slots=True)
class Company:
    """A tenant's directory, and the role of each person in the demo."""

    tenant: str
    users: list[Json]
    groups: list[Json]
    contacts: list[Json] = field(default_factory=list)
    sales: str = ""
    purchasing: str = ""
    everyone: str = ""
    sellers: list[str] = field(default_factory=list)
    buyers: list[str] = field(default_factory=list)
    newcomer: str = ""
    omitted: dict[str, str] = field(default_factory=dict)

    def user(self, id_: str) -> Json:
        """Return the user with this id."""
        return next(user for user in self.users if user["id"] == id_)


class _Generator:
    """Generates people and groups. Each company has its own seed."""

    def __init__(self, company: str, domain: str, seed: int) -> None:
        self._company = company
        self._domain = domain
        self._random = random.Random(seed)
        self._fakers = [Faker(locale) for locale in _LOCALES]
        for number, faker in enumerate(self._fakers):
            faker.seed_instance(seed + number)
        self._number = 0

    def id(self) -> str:
        """Return a new object id."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def person(self, department: str, manager: str | None = None, **more: Any) -> Json:
        """Return a new person of a department."""
        faker = self._fakers[self._number % len(self._fakers)]
        self._number += 1
        given, surname = faker.first_name(), faker.last_name()
        name = f"p{self._number}.{_ascii(given)}.{_ascii(surname)}".lower().strip(".")
        return {
            "id": self.id(),
            "displayName": f"{given} {surname}",
            "givenName": given,
            "surname": surname,
            "userPrincipalName": f"{name}@{self._domain}",
            "mail": f"{name}@{self._domain}",
            "accountEnabled": True,
            "userType": "Member",
            "companyName": self._company,
            "department": department,
            "jobTitle": f"{department} manager" if manager is None else f"{department} specialist",
            "officeLocation": f"Room {self._random.randint(100, 499)}",
            "businessPhones": [f"+49 30 5550{self._number:03d}"],
            "mobilePhone": f"+49 170 5550{self._number:03d}",
            "faxNumber": f"+49 30 5559{self._number:03d}",
            "streetAddress": faker.street_address(),
            "city": faker.city(),
            "postalCode": faker.postcode(),
            "country": self._random.choice(["Germany", "Netherlands", "Ireland"]),
            **({"manager": {"id": manager}} if manager else {}),
            **more,
        }

    def group(self, name: str, members: list[str]) -> Json:
        """Return a new security group."""
        return {"id": self.id(), "displayName": name, "mailEnabled": False, "members": members}


def contoso() -> Company:
    """Return the publisher: 70 people, 12 of them in sales, 8 in purchasing."""
    make = _Generator("Contoso", "contoso.example", _SEED)
    head = make.person("Sales")
    sellers = [head, *(make.person("Sales", head["id"]) for _ in range(11))]
    newcomer = make.person("Sales", head["id"])
    disabled = make.person("Sales", head["id"], accountEnabled=False)
    hidden = make.person("Sales", head["id"], showInAddressList=False)
    without_mail = make.person("Sales", head["id"], mail=None)
    buyers = [make.person("Purchasing") for _ in range(8)]
    others = [make.person(_DEPARTMENTS[n % len(_DEPARTMENTS)]) for n in range(46)]
    omitted = {
        disabled["id"]: "disabled",
        hidden["id"]: "hidden",
        without_mail["id"]: "no_email",
    }
    abroad = make.group("Sales abroad", [p["id"] for p in sellers[8:]])
    sales = make.group("Sales", [p["id"] for p in sellers[:8]] + [abroad["id"], *omitted])
    abroad["members"].append(sales["id"])  # groups may hold each other
    assistants = make.group("Purchasing assistants", [p["id"] for p in buyers[5:]])
    purchasing = make.group("Purchasing", [*(p["id"] for p in buyers[:5]), assistants["id"]])
    return Company(
        tenant=CONTOSO,
        users=[*sellers, newcomer, disabled, hidden, without_mail, *buyers, *others],
        groups=[sales, abroad, purchasing, assistants],
        sales=sales["id"],
        purchasing=purchasing["id"],
        sellers=[p["id"] for p in sellers],
        buyers=[p["id"] for p in buyers],
        newcomer=newcomer["id"],
        omitted=omitted,
    )


def fabrikam() -> Company:
    """Return the partner: five people, who all receive the contacts."""
    make = _Generator("Fabrikam", "fabrikam.example", _SEED + 1000)
    people = [make.person("Purchasing") for _ in range(5)]
    everyone = make.group("Everyone", [p["id"] for p in people])
    return Company(
        tenant=FABRIKAM,
        users=people,
        groups=[everyone],
        everyone=everyone["id"],
        buyers=[p["id"] for p in people],
    )


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "".join(c for c in plain if c.isalnum())
