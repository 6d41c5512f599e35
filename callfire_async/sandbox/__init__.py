"""A stand-in for CallFire and CM.com on localhost, with the faults of real life on request.

    async with Sandbox(processing=0.2) as sandbox:
        sandbox.plan(Life(result="partial"), Life(reply="lost_after_accepting"))
        ...  # talk to sandbox.callfire_url as sandbox.login, sandbox.password
        assert sandbox.violations == 0

It speaks CallFire 1.1's number and subscription services, and v2's orders, numbers, keywords and webhooks, literally, after the vendor's documents,
schemas and samples, and shares no code with the client: a mistake made alike in encoder and decoder must show. Documented are the verbs, paths,
parameters, documents and the words in them; where the documents are silent, the line that fills the gap says so. Inventions of a kind: order
postbacks (CallFire documents no event for orders), the form of JSON and SOAP postbacks of 1.1 (it shows neither), every fault, and the stock. That
is a hundred fictional numbers in each of some fifty real places, and nothing a test names is missing from it: any number or keyword nobody owns
can be bought.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from aiohttp import web

from .account import Account
from .callfire import ROOT, CallFire
from .callfire_v2 import ROOT as ROOT_V2, CallFireV2
from .callfire_v2_numbers import NumbersV2
from .callfire_v2_webhooks import Webhook, Webhooks
from .cm import CM, ROOT as CM_ROOT
from .cm_callbacks import Callbacks
from .cm_requests import NumberRequest
from .door import Door, basic
from .faults import Faults
from .inventory import Inventory, checked
from .ledger import Call, Ledger, Order, OrderView
from .life import Life, Poll, Postback, Reply, Result, check_seconds, check_word
from .notifications import Event
from .numbers import Numbers
from .postbacks import Courier, Delivery
from .subscriptions import Subscription, Subscriptions

__all__ = [
    "Call",
    "Delivery",
    "Event",
    "Life",
    "OrderView",
    "Poll",
    "Postback",
    "Reply",
    "Result",
    "Sandbox",
    "Subscription",
    "Webhook",
]

#: Seconds a call that is still being answered holds up the exit.
_PARTING = 0.05


class Sandbox:
    """A real HTTP server on a real port, for one account. Everything it starts ends with its `async with`.

    `port` 0 takes a free one. `processing` is in seconds, from acceptance of an order to its final result. `postbacks` is how they are
    delivered and `life` what happens to orders, where no `plan` says otherwise. `latency`, in seconds, delays each answer about an order: a constant,
    or evenly spread between two bounds. The same seed gives the same ids, numbers and latencies.
    """

    #: Basic credentials of the API. May be changed while it runs, as an account's owner may.
    login: str
    password: str
    #: CM.com's product token, and the uuids of the one account and of a company profile in it; any other profile will do.
    cm_token: str = "sandbox-token"  # noqa: S105  # opens nothing but a sandbox
    cm_account: str = "5a4dbd0c-0000-4000-8000-00000000acc0"
    cm_company_profile: str = "5a4dbd0c-0000-4000-8000-0000000c0de5"

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        processing: float = 0.5,
        postbacks: str = "delivered",
        seed: int | None = None,
        life: Life | None = None,
        login: str = "sandbox-login",
        password: str = "sandbox-password",  # noqa: S107  # opens nothing but a sandbox
        latency: float | tuple[float, float] = 0.0,
    ) -> None:
        check_seconds("processing", processing)
        check_word("postbacks", postbacks, Postback)
        bounds = latency if isinstance(latency, tuple) else (latency, latency)
        for bound in bounds:
            check_seconds("latency", bound)
        if len(bounds) != 2 or bounds[0] > bounds[1]:  # a lower and an upper bound
            raise ValueError(f"latency is a number of seconds or (least, most), not {latency!r}.")
        self.login = login
        self.password = password
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        # Streams of chance of their own: the number of polls must not change the next order's numbers.
        self._inventory = Inventory(None if seed is None else f"{seed}:numbers")
        self._account = Account(self._inventory)
        self._ledger = Ledger(
            processing=processing,
            postbacks=postbacks,
            life=life or Life(),
            inventory=self._inventory,
            account=self._account,
            seed=seed,
        )
        self._numbers = Numbers(self._inventory, self._account)
        self._faults = Faults()
        self._subscriptions = Subscriptions(seed)
        self._webhooks = Webhooks(seed)
        self._courier = Courier(self._subscriptions, seed, self._webhooks)
        any_door = partial(
            Door, ledger=self._ledger, account=self._account, faults=self._faults, latency=bounds, seed=seed
        )
        door = partial(any_door, courier=self._courier, admit=basic(lambda: (self.login, self.password)))
        self._callfire = CallFire(door, ledger=self._ledger, numbers=self._numbers, subscriptions=self._subscriptions)
        numbers_v2 = NumbersV2(self._inventory, self._account)
        self._callfire_v2 = CallFireV2(door, ledger=self._ledger, numbers=numbers_v2, webhooks=self._webhooks)
        self._callbacks = Callbacks(self._subscriptions, seed)
        self._callbacks.deliveries = self._courier.deliveries
        self._cm = CM(
            any_door,
            ledger=self._ledger,
            callbacks=self._callbacks,
            credentials=lambda: (self.cm_token, self.cm_account),
            seed=seed,
        )

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("The sandbox is running already.")
        app = web.Application(client_max_size=64 * 1024)
        app.add_subapp(ROOT, self._callfire.application())
        app.add_subapp(ROOT_V2, self._callfire_v2.application())
        app.add_subapp(CM_ROOT, self._cm.application())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_PARTING)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._courier.open()
        self._callbacks.open()
        self._runner = runner
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        runner, self._runner = self._runner, None
        try:
            if runner is not None:
                await runner.cleanup()
        finally:
            await self._courier.close()
            await self._callbacks.close()

    # ------------------------------------------------------------------ where it is

    @property
    def callfire_url(self) -> str:
        """Base URL of API 1.1, without a slash at the end."""
        return f"{self._address()}{ROOT}"

    @property
    def callfire_v2_url(self) -> str:
        """Base URL of API v2, without a slash at the end. The account and its orders are the same."""
        return f"{self._address()}{ROOT_V2}"

    @property
    def cm_url(self) -> str:
        """Base URL of CM.com's APIs, without a slash at the end."""
        return self._address()

    def _address(self) -> str:
        if self._runner is None:
            raise RuntimeError("The sandbox is not running: enter it with 'async with' first.")
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    # ------------------------------------------------------------------ what happens

    def plan(self, *lives: Life) -> None:
        """Give the next orders these lives, in turn; afterwards the default again. Each create with sound parameters takes one."""
        self._ledger.plan(lives)

    def pay(self, order_id: str) -> None:
        """Pay a parked order now. It is PROCESSING at once, and FINISHED after its processing time. ValueError if it is not parked.

        At CM.com nobody pays: there a PENDING order is APPROVED at once and COMPLETED after its processing time.
        """
        order = self._order(order_id)
        dropped, added = order.pay(time.monotonic())
        self._account.follow(order, added)
        self._courier_of(order).unschedule(dropped)
        self._courier_of(order).schedule(order, added)

    async def deliver(self, order_id: str, *, status: str | None = None) -> None:
        """Post an order's postback now to every subscription, or its callback to its own address; with another status than its own it is a forgery."""
        order = self._order(order_id)
        await self._courier_of(order).post(order, [status or order.status(time.monotonic())])

    def subscribe(
        self,
        endpoint: str,
        *,
        trigger_event: str = "CAMPAIGN_FINISHED",
        notification_format: str = "XML",
        enabled: bool = True,
        non_strict_ssl: bool = False,
    ) -> int:
        """Subscribe an endpoint as if through the API, and return the subscription's id. `non_strict_ssl` takes any certificate."""
        return self._subscriptions.subscribe(
            {"Endpoint": endpoint, "TriggerEvent": trigger_event, "NotificationFormat": notification_format},
            enabled=enabled,
            non_strict_ssl=non_strict_ssl,
        )

    async def notify(
        self, event: Event, *, everyone: bool = False, root: str | None = None, **fields: str
    ) -> tuple[Delivery, ...]:
        """Tell of a text, a call or a campaign, and return what became of it once all endpoints have answered.

        It goes to the subscriptions to that event, and to UNDEFINED_EVENT, whose filters let it through; `everyone` sends it to all that
        order postbacks go to. `fields` are the elements of the Text, Call or Broadcast in it, and its id, such as FromNumber="18185550100",
        Message="STOP", Status="STOPPED" or id="7". `root` is another root element, such as TextReceived or BroadcastFinished:
        the schema's names for what the captures call otherwise.
        """
        return await self._courier.notify(event, fields, root=root, everyone=everyone)

    @property
    def refuse_subscriptions(self) -> bool:
        """Set it, and every create of a subscription through the API is answered 403."""
        return self._subscriptions.refused

    @refuse_subscriptions.setter
    def refuse_subscriptions(self, refuse: bool) -> None:
        self._subscriptions.refused = refuse

    # ------------------------------------------------------------------ what can be bought, and what is owned

    def own(self, *units: str, label: str | None = None) -> None:
        """Give the account these numbers and keywords from today, under a label. ValueError if one is not for sale."""
        self._account.own(checked(units), label)

    def disown(self, *units: str) -> None:
        """Take these from the account, as when a lease ends. They are for sale again unless they were released. LookupError if one is not owned."""
        self._account.disown(checked(units))

    def take(self, *units: str) -> None:
        """Let someone else buy these numbers and keywords now: an order that names one gets the rest. ValueError if one is the account's already."""
        self._account.settle()
        self._inventory.bar(checked(units))

    def offer(self, *numbers: str) -> None:
        """Put these numbers on sale: a search by their first seven digits finds them before others. Undoes `take`. ValueError as there."""
        self._account.settle()
        self._inventory.offer(checked(numbers, keywords=False))

    @property
    def owned(self) -> tuple[str, ...]:
        """What the account has at this moment: numbers, then keywords in capitals, both as they came."""
        return (*self._account.numbers, *self._account.keywords)

    @property
    def update_status(self) -> int:
        """What a PUT and a DELETE of a subscription are answered: 204, or 200 without a body. The documents leave it open."""
        return self._subscriptions.update_status

    @update_status.setter
    def update_status(self, status: int) -> None:
        self._subscriptions.update_status = _of_nothing("update_status", status)

    @property
    def configure_status(self) -> int:
        """What a PUT of a number's configuration is answered: 200 without a body, or 204. The documents leave it open."""
        return self._numbers.configure_status

    @configure_status.setter
    def configure_status(self, status: int) -> None:
        self._numbers.configure_status = _of_nothing("configure_status", status)

    def fault_next(self, path_prefix: str, *words: Poll) -> None:
        """Let the next calls whose path begins so fail, one word for each, in turn; then all is well.

        `path_prefix` follows the base URL, as in "/number/search"; "/number" alone begins the paths of orders too. The words are those of
        `Life.polls`, with its defaults for silence and Retry-After. Calls without credentials, and those too soon, use up none.
        """
        self._faults.add(path_prefix, words)

    # ------------------------------------------------------------------ what happened

    @property
    def purchases(self) -> int:
        """Orders accepted, those whose reply was lost included."""
        return len(self._ledger)

    @property
    def violations(self) -> int:
        """Calls about one order less than a second after the one before."""
        return self._ledger.violations

    @property
    def orders(self) -> Mapping[str, OrderView]:
        """The ledger, oldest first: id -> the order as it is at the moment of reading."""
        return self._ledger

    @property
    def calls(self) -> Sequence[Call]:
        """The server's own log, in order of arrival."""
        return tuple(self._ledger.calls)

    @property
    def deliveries(self) -> list[Delivery]:
        """Postbacks made, in order of their ends. Later ones are added to the same list."""
        return self._courier.deliveries

    @property
    def subscriptions(self) -> Mapping[int, Subscription]:
        """All subscriptions by id."""
        return self._subscriptions

    @property
    def webhooks(self) -> Mapping[int, Webhook]:
        """All webhooks of API v2 by id."""
        return self._webhooks

    def _courier_of(self, order: Order) -> Courier:
        return self._callbacks if isinstance(order, NumberRequest) else self._courier

    def _order(self, order_id: str) -> Order:
        order = self._ledger.order(order_id) or self._ledger.order(order_id, NumberRequest.service)
        if order is None:
            raise LookupError(f"The sandbox has no order {order_id!r}.")
        return order


def _of_nothing(name: str, status: int) -> int:
    """A status that may go without a body."""
    if status not in {200, 204}:
        raise ValueError(f"{name} is 200 or 204, not {status!r}.")
    return status
