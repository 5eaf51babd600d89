"""The routes of the app, as its functions declare them."""

from typing import NamedTuple

from function_app import app


class Route(NamedTuple):
    """The method and path template of a function."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _served() -> list[Route]:
    found = []
    for function in app.get_functions():
        bound = function.get_trigger()
        assert bound is not None
        trigger = bound.get_dict_repr()
        if trigger["type"] == "httpTrigger":
            found += [Route(str(m.value), str(trigger["route"])) for m in trigger["methods"]]
    return sorted(found)


SERVED = _served()
"""All routes; the functions of an app can be read only once."""
API = [route for route in SERVED if route.path.startswith("api/")]
FILES = [route for route in SERVED if route.path.startswith("static/")]
PAGES = [route for route in SERVED if route not in API and route not in FILES]
