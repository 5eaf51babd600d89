"""A simulator of Azure Key Vault's secrets over REST, and its control interface.

Docs: authentication-requests-and-responses (the challenge), rest-error-codes, get-secret,
get-secret-versions, about-secrets (attributes), throttling. The wording of refusals follows
azure-docs#109562 (audience), azure-sdk-for-js#24756 (disabled) and AzureSignTool#219 (429). It
accepts only tokens that the Entra simulator issued to the app's managed identity.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

import orjson
from aiohttp import web

RESOURCE: Final = "https://vault.azure.net"
_API_VERSION: Final = re.compile(r"7\.[0-6]|2016-10-01|202\d-\d\d-\d\d(-preview)?")
_NAME: Final = re.compile(r"[0-9a-zA-Z-]{1,127}")
_PAGE: Final = 25


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """The vault's https root, the check of tokens, and the identity that may read.

    `verify` returns the claims of a token for an audience, or raises `PermissionError`.
    """

    url: str
    verify: Callable[[str, str | None], Mapping[str, Any]]
    authority: str
    tenant: str
    identity: str


@dataclass(slots=True)
class Version:
    """One version of a secret. `attributes` are as in the protocol."""

    id: str
    value: str
    content_type: str
    attributes: dict[str, Any]
    managed: bool


class Refused(Exception):
    """A refusal in Key Vault's form."""

    def __init__(self, status: int, code: str, text: str, inner: str = "", **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        error: dict[str, Any] = {"code": code, "message": text}
        if inner:
            error["innererror"] = {"code": inner}
        self.body = {"error": error}


@dataclass(slots=True)
class Fault:
    """What happens to the next requests: a status, or no answer at all."""

    times: int
    status: int | None
    headers: dict[str, str] = field(default_factory=dict)


class VaultServer:
    """One vault. The names of its secrets are not case-sensitive."""

    def __init__(self, settings: VaultSettings) -> None:
        self.settings = settings
        self._secrets: dict[str, dict[str, Version]] = {}
        self._newest: dict[str, str] = {}
        self._granted = True
        self._fault: Fault | None = None
        self._requests: list[str] = []

    async def get_secret(self, http: web.Request) -> web.Response:
        name, versions = self._found(http)
        version = http.match_info.get("version") or self._newest[name.lower()]
        if version not in versions:
            raise _missing(f"{name}/{version}")
        found = versions[version]
        if not found.attributes["enabled"]:
            text = "Operation get is not allowed on a disabled secret."
            raise Refused(403, "Forbidden", text, "SecretDisabled")
        return _json({"value": found.value, **self._shown(name, found)})

    async def list_versions(self, http: web.Request) -> web.Response:
        """Return a page of a secret's versions, ordered by id and not by time."""
        name, versions = self._found(http)
        top = http.query.get("maxresults", str(_PAGE))
        if not (top.isdigit() and 1 <= int(top) <= _PAGE):
            text = f"maxresults must be from 1 to {_PAGE}."
            raise Refused(400, "BadParameter", text)
        start = int(http.query.get("$skiptoken", "0"))
        page = sorted(versions)[start : start + int(top)]
        more = start + len(page) < len(versions)
        query = {
            "api-version": http.query["api-version"],
            "$skiptoken": str(start + len(page)),
            "maxresults": top,
        }
        link = f"{self.settings.url}/secrets/{name}/versions?{urlencode(query)}"
        items = [self._shown(name, versions[id_]) for id_ in page]
        return _json({"value": items, "nextLink": link if more else None})

    def _found(self, http: web.Request) -> tuple[str, dict[str, Version]]:
        name = http.match_info["name"]
        if not _NAME.fullmatch(name):
            text = "The request URI contains an invalid name: it must match ^[0-9a-zA-Z-]+$."
            raise Refused(400, "BadParameter", text)
        versions = self._secrets.get(name.lower())
        if not versions:
            raise _missing(name)
        return name, versions

    def _shown(self, name: str, version: Version) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": f"{self.settings.url}/secrets/{name}/{version.id}",
            "attributes": version.attributes,
            "tags": {},
        }
        if version.content_type:
            shown["contentType"] = version.content_type
        if version.managed:
            shown["managed"] = True
            shown["kid"] = f"{self.settings.url}/keys/{name}/{version.id}"
        return shown

    async def admit(self, http: web.Request) -> None:
        """Refuse requests by faults, API version, token and missing role."""
        self._requests.append(http.path)
        fault = self._fault
        if fault is not None and fault.times > 0:
            fault.times -= 1
            if fault.status is None:
                if http.transport is not None:
                    http.transport.abort()
                raise web.HTTPServiceUnavailable
            text = "Request was not processed because too many requests were received. Reason: "
            if fault.status == 429:
                text += "VaultRequestTypeLimitReached"
                raise Refused(429, "Throttled", text, **fault.headers)
            raise Refused(fault.status, "InternalServerError", "The service failed.")
        if not _API_VERSION.fullmatch(http.query.get("api-version", "")):
            raise Refused(400, "BadParameter", "A supported api-version must be specified.")
        self._authenticate(http)
        if not self._granted:
            text = (
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, "
                "deny assignments or role definitions were changed recently, please observe "
                "propagation time."
            )
            raise Refused(403, "Forbidden", text, "ForbiddenByRbac")

    def _authenticate(self, http: web.Request) -> None:
        scheme, _, token = http.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self._challenge("AKV10000: Request is missing a Bearer or PoP token.")
        try:
            claims = self.settings.verify(token, None)
        except PermissionError:
            text = "AKV10046: Unable to resolve the key used for signature validation."
            raise self._challenge(text) from None
        if claims.get("aud") != RESOURCE:
            text = f"AKV10022: Invalid audience. Expected {RESOURCE}, found: {claims.get('aud')}."
            raise self._challenge(text)
        if claims.get("tid") != self.settings.tenant:
            raise self._challenge("AKV10032: Invalid issuer.")
        if claims.get("oid") != self.settings.identity:
            text = "Caller is not authorized to perform action on resource."
            raise Refused(403, "Forbidden", text, "ForbiddenByRbac")

    def _challenge(self, text: str) -> Refused:
        root = f"{self.settings.authority}/{self.settings.tenant}"
        challenge = f'Bearer authorization="{root}", resource="{RESOURCE}"'
        return Refused(401, "Unauthorized", text, WWW_Authenticate=challenge)

    async def put_secret(self, http: web.Request) -> web.Response:
        """Control: add a new version of a secret, and answer its id.

        `{"name", "value", "contentType"?, "enabled"?, "nbf"?, "exp"?, "created"?, "managed"?}`,
        times as seconds since 1970; `managed` as for a certificate's secret.
        """
        body = orjson.loads(await http.read())
        now = int(time.time())
        attributes = {
            "enabled": bool(body.get("enabled", True)),
            "created": int(body.get("created", now)),
            "updated": now,
            "recoveryLevel": "Recoverable",
            "recoverableDays": 90,
            **{name: int(body[name]) for name in ("nbf", "exp") if name in body},
        }
        name, id_ = str(body["name"]).lower(), uuid4().hex
        self._secrets.setdefault(name, {})[id_] = Version(
            id_,
            str(body["value"]),
            str(body.get("contentType", "")),
            attributes,
            bool(body.get("managed", False)),
        )
        self._newest[name] = id_
        return _json({"version": id_})

    async def change_secret(self, http: web.Request) -> web.Response:
        """Control: `{"enabled": bool}` for one version."""
        body = orjson.loads(await http.read())
        versions = self._secrets[http.match_info["name"].lower()]
        versions[http.match_info["version"]].attributes["enabled"] = bool(body["enabled"])
        return _json({})

    async def delete_secret(self, http: web.Request) -> web.Response:
        """Control: delete a secret with all its versions."""
        return _json({"deleted": bool(self._secrets.pop(http.match_info["name"].lower(), None))})

    async def set_access(self, http: web.Request) -> web.Response:
        """Control: `{"granted": bool}`, whether the identity has a role in the vault."""
        self._granted = bool(orjson.loads(await http.read())["granted"])
        return _json({})

    async def set_fault(self, http: web.Request) -> web.Response:
        """Control: `{"times", "status" or null (cuts the connection), "retryAfter"?}`."""
        body = orjson.loads(await http.read())
        wait = body.get("retryAfter")
        headers = {} if wait is None else {"Retry-After": str(wait)}
        self._fault = Fault(int(body["times"]), body["status"], headers)
        return _json({})

    async def list_requests(self, http: web.Request) -> web.Response:
        """Control: list the paths requested since the last listing, oldest first."""
        del http
        asked, self._requests = self._requests, []
        return _json({"paths": asked})


def create_app(server: VaultServer) -> web.Application:
    """Return the vault as an application, to be served over https."""

    @web.middleware
    async def protocol(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        controlled = request.path.startswith("/_sim/")
        try:
            if not controlled:
                await server.admit(request)
            return await handler(request)
        except Refused as refusal:
            answer = _json(refusal.body, refusal.status)
            answer.headers.update(refusal.headers)
            return answer
        except (KeyError, TypeError, ValueError) as error:
            if not controlled:
                raise
            return _json({"error": f"bad control request: {error!r}"}, 400)

    app = web.Application(middlewares=[protocol])
    app.add_routes(
        [
            web.post("/_sim/secrets", server.put_secret),
            web.patch("/_sim/secrets/{name}/{version}", server.change_secret),
            web.delete("/_sim/secrets/{name}", server.delete_secret),
            web.post("/_sim/access", server.set_access),
            web.post("/_sim/faults", server.set_fault),
            web.get("/_sim/requests", server.list_requests),
            web.get("/secrets/{name}/versions", server.list_versions),
            # The SDK asks for the current version with a slash at the end.
            web.get("/secrets/{name}", server.get_secret),
            web.get("/secrets/{name}/", server.get_secret),
            web.get("/secrets/{name}/{version}", server.get_secret),
        ]
    )
    return app


def _missing(what: str) -> Refused:
    text = (
        f"A secret with (name/id) {what} was not found in this key vault. If you recently deleted "
        "this secret you may be able to recover it using the correct recovery command."
    )
    return Refused(404, "SecretNotFound", text)


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
