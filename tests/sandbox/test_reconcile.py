"""What `reconcile()` finds, and that it buys nothing and calls no order twice within a second."""

from collections.abc import AsyncIterator, Iterable

import pytest

from callfire_async import CallFire, OrderInDoubtError, Reconciliation
from callfire_async.providers import callfire_traces
from callfire_async.sandbox import Life, Sandbox

ONE, TWO, THREE = "12065550101", "12065550102", "12065550103"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(processing=0.0, seed=3) as it:
        yield it


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[CallFire]:
    async with CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url) as it:
        yield it


@pytest.fixture
def an_hour_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the submission were not of this minute, in which it may still be at work."""
    monkeypatch.setattr(callfire_traces, "SETTLING", -callfire_traces.SETTLING)


async def doubt(
    client: CallFire,
    sandbox: Sandbox,
    reply: str,
    *,
    numbers: Iterable[str] = (),
    keywords: Iterable[str] = (),
    local: int = 0,
) -> None:
    sandbox.plan(Life(reply=reply))  # type: ignore[arg-type]
    with pytest.raises(OrderInDoubtError):
        await client.order(numbers=numbers, keywords=keywords, local=local, key="k")


async def reconciled(client: CallFire, sandbox: Sandbox) -> Reconciliation:
    """The verdict. Neither the account nor the doubt is touched by it."""
    before = (sandbox.purchases, sandbox.owned)
    verdict = await client.reconcile("k")
    assert (sandbox.purchases, sandbox.owned, sandbox.violations) == (*before, 0)
    assert [doubt.key for doubt in await client.in_doubt()] == ["k"]
    return verdict


async def test_numbers_all_owned_are_a_purchase_that_was_placed(client: CallFire, sandbox: Sandbox) -> None:
    await doubt(client, sandbox, "lost_after_accepting", numbers=[ONE, TWO], keywords=["SUNNY"])
    assert set(sandbox.owned) == {ONE, TWO, "SUNNY"}
    found = await reconciled(client, sandbox)
    assert found.verdict == "placed"
    assert found.order_id is None  # CallFire 1.1 does not tell which order brought a number
    for what, sentence in zip((ONE, TWO, "SUNNY"), found.evidence, strict=True):
        assert sentence.startswith(f"{what} is the account's since ")


@pytest.mark.usefixtures("an_hour_ago")
async def test_numbers_none_owned_and_all_for_sale_are_a_purchase_that_was_not_placed(
    client: CallFire, sandbox: Sandbox
) -> None:
    sandbox.offer(ONE, TWO)
    await doubt(client, sandbox, "lost_before_accepting", numbers=[ONE, TWO], keywords=["SUNNY"])
    found = await reconciled(client, sandbox)
    assert found.verdict == "not placed"
    for what, sentence in zip((ONE, TWO, "SUNNY"), found.evidence, strict=True):
        assert sentence == f"{what} is not the account's, and is still for sale."


async def test_in_the_first_minute_what_is_for_sale_proves_nothing(client: CallFire, sandbox: Sandbox) -> None:
    sandbox.offer(ONE)
    await doubt(client, sandbox, "lost_before_accepting", numbers=[ONE])
    found = await reconciled(client, sandbox)
    assert found.verdict == "unknown"
    assert "look again later" in found.evidence[-1]


@pytest.mark.usefixtures("an_hour_ago")
async def test_some_owned_and_some_for_sale_is_unknown_and_says_which(client: CallFire, sandbox: Sandbox) -> None:
    sandbox.offer(ONE, TWO)
    await doubt(client, sandbox, "lost_before_accepting", numbers=[ONE, TWO])
    sandbox.own(ONE)
    found = await reconciled(client, sandbox)
    assert found.verdict == "unknown"
    assert found.evidence[0].startswith(f"{ONE} is the account's since ")
    assert found.evidence[1] == f"{TWO} is not the account's, and is still for sale."


@pytest.mark.usefixtures("an_hour_ago")
async def test_a_number_that_is_gone_is_unknown(client: CallFire, sandbox: Sandbox) -> None:
    await doubt(client, sandbox, "lost_before_accepting", numbers=[ONE])
    sandbox.take(ONE)
    found = await reconciled(client, sandbox)
    assert found.verdict == "unknown"
    assert found.evidence == (
        f"{ONE} is not the account's, and is not among the numbers for sale that CallFire shows.",
    )


@pytest.mark.parametrize("reply", ["lost_before_accepting", "lost_after_accepting"])
async def test_an_order_by_count_leaves_no_trace(reply: str, client: CallFire, sandbox: Sandbox) -> None:
    await doubt(client, sandbox, reply, local=2)
    found = await reconciled(client, sandbox)
    assert found.verdict == "unknown"
    assert "cannot list orders" in found.evidence[0]


@pytest.mark.parametrize("trouble", ["error500", "html_with_200", "drop", "malformed", "unauthorized"])
async def test_with_the_provider_down_it_is_unknown_and_says_why(
    trouble: str, client: CallFire, sandbox: Sandbox
) -> None:
    await doubt(client, sandbox, "lost_after_accepting", numbers=[ONE, TWO])
    sandbox.fault_next(f"/number/{TWO}", trouble)  # type: ignore[arg-type]
    found = await reconciled(client, sandbox)
    assert found.verdict == "unknown"
    assert found.evidence[0].startswith(f"{ONE} is the account's")
    assert found.evidence[1].startswith("CallFire could not be asked for more: ")
    assert (await reconciled(client, sandbox)).verdict == "placed"  # it is up again


async def test_an_order_that_is_found_by_its_id_is_the_plainest_evidence(client: CallFire, sandbox: Sandbox) -> None:
    """A question by hand, or a postback, shows an order nobody here has placed, made since and of the same things."""
    await doubt(client, sandbox, "lost_after_accepting", local=2)
    (order_id,) = sandbox.orders
    await client.get_order(order_id)
    found = await reconciled(client, sandbox)
    assert (found.verdict, found.order_id) == ("placed", order_id)
    order = await client.resolve("k", order_id=order_id)
    assert len((await order).numbers) == 2


async def test_an_order_of_other_things_is_no_evidence(client: CallFire, sandbox: Sandbox) -> None:
    await doubt(client, sandbox, "lost_before_accepting", local=2)
    async with CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url) as elsewhere:
        order_id = (await elsewhere.order(local=3)).id
    await client.get_order(order_id)
    assert (await reconciled(client, sandbox)).verdict == "unknown"
