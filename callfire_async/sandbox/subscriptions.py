"""CallFire 1.1's subscription service: `/subscription`."""

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from . import documents
from .forms import PAGE, SUBSCRIPTION, RefusedError, check, read_form, read_page, read_query, require

#: Subscriptions an account may have: documented. What the one too many is answered is not.
MOST: Final = 10_000

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
    #: Milliseconds since 1970 after which it hears nothing, as the parameter is understood here; no document explains it.
    expires_at: int | None = None
    filters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def hears_of_orders(self) -> bool:
        """Whether order postbacks go there: CallFire has no event for orders, so each enabled address on the web hears of them.

        Not mail, and not LEGACY: no document at hand shows what that looks like.
        """
        expired = self.expires_at is not None and self.expires_at <= time.time() * 1000
        on_the_web = self.endpoint.startswith(("http://", "https://"))
        return self.enabled and on_the_web and not expired and self.notification_format in {"XML", "JSON", "SOAP"}

    def hears_of(self, event: str, facts: Mapping[str, str]) -> bool:
        """Whether a notification of this event goes there: every filter must fit. UNDEFINED_EVENT is all events, which is inferred."""
        return (
            self.hears_of_orders
            and self.trigger_event in {event, "UNDEFINED_EVENT"}
            and all(self._lets_through(name, facts) for name in self.filters)
        )

    def _lets_through(self, name: str, facts: Mapping[str, str]) -> bool:
        # "67076:KEYWORD" is a ToNumber; a campaign has no numbers and fits none.
        wanted, _, keyword = self.filters[name].removeprefix("+").partition(":")
        return facts.get(name) == wanted and (not keyword or facts["Keyword"] == keyword.upper())


class Subscriptions(Mapping[int, Subscription]):
    """All subscriptions by id, and the handlers of the service."""

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(None if seed is None else f"{seed}:subscriptions")
        self._last_id = self._random.randrange(10, 100) * 1000 + 1
        self._all: dict[int, Subscription] = {}
        # RequestIds "de-dup requests": what each has made, and which updates are done.
        self._made: dict[str, int] = {}
        self._updated: set[tuple[int, str]] = set()
        #: Answer 403 to every create.
        self.refused = False
        #: What answers an update and a delete: 204, or 200 without a body. The documents leave it open.
        self.update_status = 204

    def __getitem__(self, subscription_id: int) -> Subscription:
        return self._all[subscription_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def subscribe(self, form: Mapping[str, str], *, enabled: bool, non_strict_ssl: bool) -> int:
        """Make a subscription without a call. ValueError for a wrong parameter."""
        try:
            check(form, SUBSCRIPTION)
        except RefusedError as refused:
            raise ValueError(refused.message) from None
        return self._add(enabled=enabled, non_strict_ssl=non_strict_ssl, **_fields(form))

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Put the five operations on a router."""
        router.add_post("/subscription", self._create)
        router.add_get("/subscription", self._query, allow_head=False)
        router.add_get(r"/subscription/{id:[0-9]{1,18}}", self._get, allow_head=False)
        router.add_put(r"/subscription/{id:[0-9]{1,18}}", self._update)
        router.add_delete(r"/subscription/{id:[0-9]{1,18}}", self._delete)

    async def _create(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        check(form, SUBSCRIPTION)
        if self.refused:
            raise RefusedError(403, "This account may not make subscriptions.")
        require(form, "TriggerEvent", "Endpoint")  # on POST alone
        request_id = form.get("RequestId", "")
        made = self._made.get(request_id)
        if made is None:
            if len(self._all) >= MOST:
                raise RefusedError(403, f"An account has at most {MOST:,} subscriptions.")
            made = self._add(**_fields(form))
            if request_id:
                self._made[request_id] = made
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
        update = (subscription.id, form.get("RequestId", ""))
        if update not in self._updated:
            fields = _fields(form)
            if "filters" in fields:
                fields["filters"] = MappingProxyType({**subscription.filters, **fields["filters"]})
            self._all[subscription.id] = replace(subscription, **fields)
            if "RequestId" in form:
                self._updated.add(update)
        return web.Response(status=self.update_status)  # it "returns no response"

    async def _delete(self, request: web.Request) -> web.Response:
        read_query(request, {})
        del self._all[self._find(request).id]
        return web.Response(status=self.update_status)

    def _add(self, **fields: Any) -> int:
        self._last_id += self._random.randrange(1, 10) * 1000
        self._all[self._last_id] = Subscription(id=self._last_id, **fields)
        return self._last_id

    def _find(self, request: web.Request) -> Subscription:
        asked = request.match_info["id"]
        subscription = self._all.get(int(asked))
        if subscription is None:
            raise RefusedError(404, f"subscription {asked} does not exist")
        return subscription


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
    if "ExpiresAt" in form:
        fields["expires_at"] = int(form["ExpiresAt"])
    filters = {name: form[name] for name in _FILTERS if name in form}
    if "Inbound" in filters:
        filters["Inbound"] = "true" if filters["Inbound"] in {"true", "1"} else "false"
    if filters:
        fields["filters"] = MappingProxyType(filters)
    return fields
