"""CallFire 1.1's subscription service: `/subscription`."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from . import documents
from .forms import PAGE, SUBSCRIPTION, RefusedError, check, read_form, read_page, read_query, require

_FILTERS: Final = ("BroadcastId", "BatchId", "FromNumber", "ToNumber", "Inbound")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One subscription as the sandbox has it."""

    id: int
    endpoint: str
    trigger_event: str
    enabled: bool = True
    notification_format: str = "XML"
    non_strict_ssl: bool = False
    filters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def hears_of_orders(self) -> bool:
        """Whether order postbacks go there: CallFire has no event for orders, so each address that takes XML over HTTP hears of them."""
        return self.enabled and self.notification_format == "XML" and self.endpoint.startswith(("http://", "https://"))


class Subscriptions(Mapping[int, Subscription]):
    """All subscriptions by id, and the handlers of the service."""

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(None if seed is None else f"{seed}:subscriptions")
        self._last_id = self._random.randrange(10, 100) * 1000 + 1
        self._all: dict[int, Subscription] = {}
        self._requests: dict[str, int] = {}
        #: Answer 403 to every create.
        self.refused = False

    def __getitem__(self, subscription_id: int) -> Subscription:
        return self._all[subscription_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, **fields: Any) -> int:
        """Make a subscription and return its id."""
        self._last_id += self._random.randrange(1, 10) * 1000
        self._all[self._last_id] = Subscription(id=self._last_id, **fields)
        return self._last_id

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Put the five operations on a router."""
        router.add_post("/subscription", self._create)
        router.add_get("/subscription", self._query, allow_head=False)
        router.add_get("/subscription/{id}", self._get, allow_head=False)
        router.add_put("/subscription/{id}", self._update)
        router.add_delete("/subscription/{id}", self._delete)

    async def _create(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        check(form, SUBSCRIPTION)
        if self.refused:
            raise RefusedError(403, "This account may not make subscriptions.")
        require(form, "TriggerEvent", "Endpoint")  # on POST alone
        request_id = form.get("RequestId")
        made = self._requests.get(request_id) if request_id else None
        if made is None:
            made = self.add(**_fields(form))
            if request_id:
                self._requests[request_id] = made
        return xml(documents.reference(f"subscription/{made}"), status=201)

    async def _query(self, request: web.Request) -> web.Response:
        page = list(self._all.values())[read_page(read_query(request, PAGE))]
        return xml(documents.subscription_list(page, len(self._all)))

    async def _get(self, request: web.Request) -> web.Response:
        read_query(request, {})
        return xml(documents.subscription_resource(self._find(request)))

    async def _update(self, request: web.Request) -> web.Response:
        subscription = self._find(request)
        form = await read_form(request)
        check(form, SUBSCRIPTION)
        fields = _fields(form)
        if "filters" in fields:
            fields["filters"] = MappingProxyType({**subscription.filters, **fields["filters"]})
        self._all[subscription.id] = replace(subscription, **fields)
        return web.Response(status=204)  # "returns no response"; the status is inferred

    async def _delete(self, request: web.Request) -> web.Response:
        read_query(request, {})
        del self._all[self._find(request).id]
        return web.Response(status=204)  # empty; the status is inferred

    def _find(self, request: web.Request) -> Subscription:
        asked = request.match_info["id"]
        for subscription in self._all.values():
            if str(subscription.id) == asked:
                return subscription
        raise RefusedError(404, f"subscription {asked} does not exist")


def xml(document: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with an XML document."""
    return web.Response(text=document, status=status, content_type="application/xml", charset="UTF-8", headers=headers)


def _fields(form: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, attribute in (
        ("Endpoint", "endpoint"),
        ("TriggerEvent", "trigger_event"),
        ("NotificationFormat", "notification_format"),
    ):
        if name in form:
            fields[attribute] = form[name]
    for name, attribute in (("Enabled", "enabled"), ("NonStrictSsl", "non_strict_ssl")):
        if name in form:
            fields[attribute] = form[name] in {"true", "1"}
    filters = {name: form[name] for name in _FILTERS if name in form}
    if filters:
        fields["filters"] = MappingProxyType(filters)
    return fields
