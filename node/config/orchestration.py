"""Settings of the process of customer orders: how long partners are waited for, and what goes without a human's yes."""

from __future__ import annotations

from dataclasses import dataclass

from node.config.setting import setting

__all__ = ["OrchestrationSettings"]


@dataclass(frozen=True, kw_only=True)
class OrchestrationSettings:
    """Customer orders over many companies: how long partners are waited for, and what goes without a human's yes."""

    hold_answer_seconds: int = setting(
        120, "without an answer to a request for a hold the goods are sourced elsewhere", unit="s", least=1, most=86_400
    )
    hold_minutes: int = setting(60, "how long goods are held until they are ordered", unit="min", least=1, most=44_640)
    hold_extensions: int = setting(
        24,
        "while an order waits, the end of its holds is put off so many times, as far as the partner allows",
        least=0,
        most=1_000,
    )
    order_receipt_minutes: int = setting(
        60, "an order without a receipt for so long is taken back, or in doubt", unit="min", least=1, most=44_640
    )
    order_valid_hours: int = setting(
        48, "an order that reaches the partner later is refused by it", unit="h", least=1, most=8_760
    )
    order_answer_hours: int = setting(
        24,
        "an order, or a request to do with less, without an answer for so long is looked after",
        unit="h",
        least=1,
        most=8_760,
    )
    on_silence: str = setting(
        "human", "what happens then: a human is asked, or the order is cancelled", choices=("human", "cancel")
    )
    in_doubt_elsewhere: bool = setting(
        False,
        "an order that left and was never receipted is sourced elsewhere when it is valid no more; otherwise a human "
        "decides",
    )
    outside_tolerance: str = setting(
        "human",
        "an answer outside the tolerances agreed with the partner: a human is asked, it is taken, or it is cancelled",
        choices=("human", "accept", "reject"),
    )
    partner_back_orders: str = setting(
        "keep",
        "what a partner can only send later without naming a day: it is waited for, or sourced elsewhere when the "
        "partner agrees to less",
        choices=("keep", "elsewhere"),
    )
    on_disruption: str = setting(
        "elsewhere",
        "what a partner's notice makes later than it is wanted: it is taken back and sourced where it can be had "
        "sooner, or only told",
        choices=("elsewhere", "tell"),
    )
    merge_minutes: int = setting(
        0,
        "orders of one customer to the same address, in one currency and for the same day are put together when they "
        "come within this time; 0: never",
        unit="min",
        least=0,
        most=1_440,
    )
    wave_orders: int = setting(
        1, "so many orders are sourced together against the same stock; 1: one by one", least=1, most=1_000
    )
    sourcings_max: int = setting(
        8, "an order that was sourced so many times without becoming whole waits for a human", least=1, most=1_000
    )
    delivered_days: int = setting(
        14,
        "without news for so long, what was despatched counts as delivered; 0: never",
        unit="days",
        least=0,
        most=366,
    )
    collect_days: int = setting(
        7,
        "what lies ready and is not collected for so long goes back to stock, and is taken off the order; 0: never",
        unit="days",
        least=0,
        most=366,
    )
    hops: int = setting(6, "over how many companies an order of ours may be passed on at most", least=1, most=32)
    retry_minutes: int = setting(
        15,
        "what our own systems could not decide, or did not know, is tried again after this",
        unit="min",
        least=1,
        most=1_440,
    )
