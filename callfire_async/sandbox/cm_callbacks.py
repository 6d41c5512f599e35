"""CM.com's callbacks: the whole number request, posted to the order's own callbackUrl on every change of its status (documented). Unsigned."""

import json
from collections.abc import Iterable

from .cm_requests import BAD, NumberRequest
from .ledger import Order, Step
from .postbacks import Courier


class Callbacks(Courier):
    """Posts the news of each order to the address that came with it. Lost, late, doubled and false ones are as with CallFire's postbacks."""

    stale = "REQUESTED"

    def is_news(self, order: Order, step: Step) -> bool:
        """Every change of status is; what it was created with is not."""
        return step.at > order.accepted_at

    def false_word(self, order: Order) -> str:
        """An end that is not the order's own."""
        return "COMPLETED" if order.steps[-1].status in BAD else "REJECTED"

    async def post(self, order: Order, words: Iterable[str]) -> None:
        """Post these statuses one after the other. Never raises for a failed delivery."""
        if not isinstance(order, NumberRequest) or order.callback_url is None:
            return
        for word in words:
            body = json.dumps(order.document(word)).encode()
            if order.postback == "malformed":
                body = body[: len(body) // 2]
            await self.send(order.callback_url, "application/json", body, order_id=order.id, word=word)
