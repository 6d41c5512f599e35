"""CallFire v2's webhooks: `/webhooks`, and what they post.

The members are those of the vendor's client and guide. That an order is told of at all is an invention: CallFire documents no resource for orders, so
every enabled webhook hears of them, with the signature that the guide describes where it has a secret.
"""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from . import callfire_v2_documents as documents
from .callfire_v2_forms import PAGE, WEBHOOK, read_object, read_page
from .forms import RefusedError, read_query

if TYPE_CHECKING:
    from .ledger import Order

#: What the vendor's fixture lists, in part.
_RESOURCES: Final = {
    "CallBroadcast": ("Started", "Stopped", "Finished"),
    "TextBroadcast": ("Started", "Stopped", "Finished"),
    "OutboundCall": ("Finished",),
    "InboundCall": ("Finished",),
    "OutboundText": ("Finished",),
    "InboundText": ("Finished",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook as the sandbox has it: its members, as they were given."""

    id: int
    members: Mapping[str, Any] = field(repr=False)

    @property
    def endpoint(self) -> str:
        """Where it posts to."""
        return str(self.members["callback"])

    @property
    def non_strict_ssl(self) -> bool:
        """Whether any certificate will do there."""
        return bool(self.members.get("nonStrictSsl"))

    @property
    def hears_of_orders(self) -> bool:
        """Whether it is enabled, and has not expired."""
        expires = self.members.get("expiresAt")
        return self.members.get("enabled", True) and (expires is None or expires > time.time() * 1000)

    def write(self, order: "Order", word: str, *, whole: bool) -> tuple[bytes, dict[str, str]]:
        """The payload with this status word, and its signature, if it has a secret. What the order never was is a forgery, and signed with another secret."""
        payload = documents.webhook_payload(order, word, self.id, str(self.members["name"]))
        body = json.dumps(payload, separators=(",", ":")).encode()
        if not whole:
            body = body[: len(body) // 2]
        secret = self.members.get("secret")
        if secret is None:
            return body, {}
        now = time.monotonic()
        genuine = word in {step.status for step in order.steps if step.at <= now}
        digest = hmac.new((secret if genuine else "a guess").encode(), body, hashlib.sha1).digest()
        return body, {"X-CallFire-Signature": base64.b64encode(digest).decode()}


class Webhooks(Mapping[int, Webhook]):
    """All webhooks by id, and the handlers of the service."""

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(None if seed is None else f"{seed}:webhooks")
        self._last_id = self._random.randrange(10, 100) * 1000 + 3
        self._all: dict[int, Webhook] = {}

    def __getitem__(self, webhook_id: int) -> Webhook:
        return self._all[webhook_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Put the operations on a router."""
        router.add_post("/webhooks", self._create)
        router.add_get("/webhooks", self._find_all, allow_head=False)
        router.add_get("/webhooks/resources", self._resources, allow_head=False)
        router.add_get("/webhooks/resources/{resource}", self._resource, allow_head=False)
        router.add_get("/webhooks/{id}", self._get, allow_head=False)
        router.add_put("/webhooks/{id}", self._update)
        router.add_delete("/webhooks/{id}", self._delete)

    async def _create(self, request: web.Request) -> web.Response:
        body = await read_object(request, WEBHOOK)
        for name in ("name", "resource", "events", "callback"):
            if name not in body:
                raise RefusedError(400, f"{name} is required")
        self._last_id += self._random.randrange(1, 10) * 1000
        now = int(time.time() * 1000)
        members = {"enabled": True, **body, "createdAt": now, "updatedAt": now}
        self._all[self._last_id] = Webhook(id=self._last_id, members=MappingProxyType(members))
        return documents.reply({"id": self._last_id})

    async def _find_all(self, request: web.Request) -> web.Response:
        query = read_query(request, PAGE)
        return documents.reply(
            documents.listed([_document(webhook) for webhook in self._all.values()], read_page(query))
        )

    async def _resources(self, request: web.Request) -> web.Response:
        read_query(request, {})
        return documents.reply({"items": [_events(name) for name in _RESOURCES]})

    async def _resource(self, request: web.Request) -> web.Response:
        read_query(request, {})
        asked = request.match_info["resource"].replace("-", "").casefold()  # "text-broadcast" is an example's spelling
        for name in _RESOURCES:
            if name.casefold() == asked:
                return documents.reply(_events(name))
        raise RefusedError(404, f"webhook resource {asked} does not exist")

    async def _get(self, request: web.Request) -> web.Response:
        read_query(request, {})
        return documents.reply(_document(self._find(request)))

    async def _update(self, request: web.Request) -> web.Response:
        webhook = self._find(request)
        body = await read_object(request, WEBHOOK)
        members = {**webhook.members, **body, "updatedAt": int(time.time() * 1000)}
        self._all[webhook.id] = Webhook(id=webhook.id, members=MappingProxyType(members))
        return web.Response()

    async def _delete(self, request: web.Request) -> web.Response:
        read_query(request, {})
        del self._all[self._find(request).id]
        return web.Response()

    def _find(self, request: web.Request) -> Webhook:
        asked = request.match_info["id"]
        for webhook in self._all.values():
            if str(webhook.id) == asked:
                return webhook
        raise RefusedError(404, f"webhook {asked} does not exist")


def _events(resource: str) -> dict[str, Any]:
    return {"resource": resource, "supportedEvents": list(_RESOURCES[resource])}


def _document(webhook: Webhook) -> dict[str, Any]:
    """A webhook without its secret, which the vendor's fixtures do not show either."""
    return {"id": webhook.id} | {name: value for name, value in webhook.members.items() if name != "secret"}
