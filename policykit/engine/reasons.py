"""Every reason code that a decision can carry: what it means and what to do. Public API, never renamed.

Codes are CATEGORY_CONDITION. docs/checks.md is generated from this table and from the checks; a test holds them equal.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class ReasonText(NamedTuple):
    """What a code means, and what to do about it."""

    means: str
    do: str


REASONS: Final[dict[str, ReasonText]] = {
    "ACCOUNT_MARGIN_MODE": ReasonText(
        "the market's margin mode is not isolated, as the policy asks", "set it at the exchange, or change the policy"
    ),
    "ACCOUNT_MODE": ReasonText(
        "the account is in a mode at the exchange that this version does not know", "set another mode at the exchange"
    ),
    "ACCOUNT_POSITION_MODE": ReasonText(
        "the exchange's position mode is not the policy's", "set it at the exchange, or change the policy"
    ),
    "ACCOUNT_UNREADABLE": ReasonText(
        "the exchange refuses to let the key read the account", "check the key, its address allowlist and its scopes"
    ),
    "ACTION_REFUSED": ReasonText(
        "no policy lets a bot do this (withdraw, transfer, key administration)", "do it by hand"
    ),
    "ADDRESS_PROOF_MISSING": ReasonText(
        "nothing proves that the key works from this host's address", "run `policykit doctor` on this host"
    ),
    "ADDRESS_PROOF_STALE": ReasonText(
        "the proof that the key works from this host's address is too old", "run `policykit doctor` on this host"
    ),
    "CHECK_ERROR": ReasonText("a check failed to evaluate; closed by default", "report it: a check must never raise"),
    "CHECK_MISSING": ReasonText(
        "the policy sets a limit, or the bot asks for an action, that no check of this version enforces",
        "take the limit out of the policy, or use a version that has its check",
    ),
    "CLIENT_ORDER_ID_REUSED": ReasonText(
        "the client order id was used before", "give each order a fresh client order id, or leave it to policykit"
    ),
    "CLOCK_SKEW": ReasonText(
        "the clock is off, or was never compared with the exchange's", "synchronise the host's clock (NTP)"
    ),
    "CONTRACT_QUANTO": ReasonText(
        "the contract settles in a third currency; its notional is not known", "trade another contract"
    ),
    "CONTRACT_SIZE_MISSING": ReasonText("the contract's size was not observed", "let the guard read the markets first"),
    "DAILY_LOSS": ReasonText(
        "the day's loss reached its limit",
        "find out why; then a named person runs `policykit resume --scope SCOPE --by NAME --why TEXT`",
    ),
    "DAY_BASE_MISSING": ReasonText(
        "equity at the start of the day was not observed", "wait for the guard's next observation"
    ),
    "DEAD_MAN_UNARMED": ReasonText(
        "the policy asks for the exchange's dead man's switch, and it is not armed there",
        "see in the log (`policykit.guard`) why; the guard must run: `with guard:`, `policykit run`",
    ),
    "DRAWDOWN": ReasonText(
        "equity fell from its highest by the limit",
        "find out why; then a named person runs `policykit resume --scope SCOPE --by NAME --why TEXT`",
    ),
    "EQUITY_UNEXPLAINED": ReasonText(
        "equity moved by more than marks, fills and transfers explain, so it is not known",
        "see `policykit reconcile`; what is right all the same is accepted by name",
    ),
    "FACTS_MISSING": ReasonText(
        "a fact was never observed",
        "start the guard (`with guard:` or `policykit run`), or give the fact with `guard.observe`",
    ),
    "FACTS_STALE": ReasonText(
        "a fact is older than `account.max_age`",
        "see in the log (`policykit.guard`) why nothing is read; the guard must run: `with guard:`, `policykit run`",
    ),
    "HALT_PENDING": ReasonText(
        "a file, a signal or the environment halts the account, and the store could not take the halt yet",
        "mend the store; the guard writes the halt then",
    ),
    "KILL_FILE_UNREAD": ReasonText(
        "the file whose existence halts the account cannot be looked for",
        "make its folder readable for this user, or name another (kill_switch.file, POLICYKIT_KILL_FILE)",
    ),
    "KEY_PURPOSE": ReasonText("the key is not for trading", "use the key that the policy gives to execution"),
    "GROUP_GROSS_EXPOSURE": ReasonText(
        "the positions of a group of accounts could add up to more than its cap", "reduce one, or raise the cap"
    ),
    "GROUP_NET_EXPOSURE": ReasonText(
        "a group of accounts could be long or short by more than its cap", "reduce, or hedge with filled orders"
    ),
    "LOSS_COOLDOWN": ReasonText("a trade was lost too short a time ago", "wait until that time has passed; exits pass"),
    "LOSS_STREAK": ReasonText(
        "too many trades in a row were lost",
        "find out why; then a named person runs `policykit resume --scope SCOPE --by NAME --why TEXT`",
    ),
    "NUMBER_RANGE": ReasonText(
        "a number is beyond what counters hold exactly (2^53 steps of 1e-8)", "send a smaller order"
    ),
    "ORDER_DUPLICATE": ReasonText(
        "an order like it was admitted a moment ago", "see why the bot sends it twice; if it is meant, wait"
    ),
    "ORDER_DIFFERS": ReasonText(
        "the order sent is not the order that was admitted",
        "send what was decided: say all of the order in its arguments",
    ),
    "ORDER_INVALID": ReasonText("the order is malformed", "see what the bot puts there, and mend it"),
    "ORDER_OUTCOME_PENDING": ReasonText(
        "an earlier order there has no known outcome yet",
        "wait until it is settled; `policykit orders --unknown` lists it, `policykit orders resolve ID` ends it",
    ),
    "PARTIAL_COOLDOWN": ReasonText(
        "an entry filled in part too short a time ago", "wait until that time has passed; exits pass"
    ),
    "PARTIAL_FILL": ReasonText(
        "an entry that is still out has filled by less than counts as a fill", "let it fill, or cancel it"
    ),
    "PARTIAL_REENTRIES": ReasonText(
        "too many entries followed one that filled in part",
        "see why they do not fill; the count ends an hour after the last of them",
    ),
    "PEAK_MISSING": ReasonText("the highest equity was not observed", "wait for the guard's next observation"),
    "PERMIT_EXPIRED": ReasonText(
        "the permit to send ran out on the way, and the order does not pass any more",
        "send it again as a new order: nothing was sent",
    ),
    "POLICY_UNAPPROVED": ReasonText(
        "persons have not signed the policy that is loaded, and it or its account asks for that",
        "who may sign does: `policykit approve policy FILE --by NAME --why TEXT --sign KEY`; exits pass meanwhile",
    ),
    "PRICE_MISSING": ReasonText(
        "no price was observed for what must be valued",
        "try again in a few seconds: the guard reads it from now on; if this stays, check the symbol, "
        "and that the guard runs (`with guard:`)",
    ),
    "PRICE_STALE": ReasonText(
        "the newest price is too old",
        "see in the log (`policykit.guard`) why no prices are read; the guard must run: `with guard:`, `policykit run`",
    ),
    "PRODUCT_NOT_TRADED": ReasonText(
        "the symbol's product is none that this guard trades",
        "give the key its scope and name the symbol, or use a client that this version can guard there",
    ),
    "RATE_AMENDS": ReasonText(
        "the amends allowed in the window are used up",
        "wait until the window has passed, and see what makes the bot amend so often",
    ),
    "RATE_CONNECTS": ReasonText(
        "the connects of streams allowed in the window are used up",
        "wait until the window has passed, and see what makes streams break so often",
    ),
    "RATE_COOLDOWN": ReasonText(
        "the last entry in the symbol was too short a time ago", "wait until that time has passed; exits pass"
    ),
    "RATE_MESSAGES": ReasonText(
        "the messages (orders, amends, cancels) allowed in the window are used up",
        "wait until the window has passed, and see what makes the bot send so many",
    ),
    "RATE_REPEATED": ReasonText(
        "the same entry was repeated as often as the window allows", "find out why the bot repeats itself"
    ),
    "RATE_BANNED": ReasonText(
        "the exchange said that nothing may be sent before a stated time",
        "wait until then, and find what sent too much (`policykit journal`)",
    ),
    "RATE_BUDGET": ReasonText(
        "a rate budget is used up",
        "wait until the window has passed; send less, or widen the budget within what the exchange publishes",
    ),
    "RATE_ORDERS": ReasonText(
        "the orders allowed in the window are used up",
        "wait until the window has passed, and see what makes the bot send so many",
    ),
    "RAW_CALL_REFUSED": ReasonText(
        "a private call outside the read allowlist and outside an admitted order",
        "send it with create_order or cancel_order of the protected client, or put @enforce around what sends",
    ),
    "RECOVERY_PENDING": ReasonText(
        "open orders of an earlier run are not settled, or positions not reconciled", "wait, or see `policykit orders`"
    ),
    "RECONCILE_DRIFT": ReasonText(
        "the account differs from what it should have by more than its tolerance, and nothing explains it",
        "see `policykit reconcile`; mend it, or accept it by name",
    ),
    "RECONCILE_STALE": ReasonText(
        "the account was not compared with what it should have for a long time",
        "see that a guard with this policy runs its maintenance (`with guard:`) and can read the account",
    ),
    "REQUEST_VALIDITY": ReasonText(
        "the signed request stays valid longer than was journaled, or for ever",
        "leave recvWindow and the like to policykit",
    ),
    "RISK_AT_STOP": ReasonText(
        "the order could lose more than its cap when its stop is reached", "send less, or set the stop nearer"
    ),
    "RISK_ORDER_QUANTITY": ReasonText(
        "the order is of more units than its cap", "send at most the cap, or have the policy changed"
    ),
    "RISK_PRICE_MOVE": ReasonText("the market itself moved too far", "wait until it is calm; exits pass"),
    "RISK_REDUCE_ONLY": ReasonText("an exit in contracts does not say reduceOnly", "set reduceOnly, or closePosition"),
    "RISK_SELF_TRADE": ReasonText(
        "the order carries no self-trade prevention that is allowed", "set one of the modes that the policy names"
    ),
    "RISK_SIDE": ReasonText(
        "exposure may not be increased on this side", "enter on a side that the policy names; exits pass"
    ),
    "RISK_SLIPPAGE": ReasonText(
        "the book is too far from the mark for an order at market", "wait, or send a limit order"
    ),
    "RISK_STOP_MISSING": ReasonText(
        "the entry's loss at its stop is capped, and it has no stop on its losing side",
        "attach one (`stopLossPrice`)",
    ),
    "RISK_TIME_IN_FORCE": ReasonText("this time in force is not allowed", "use one that the policy names"),
    "RISK_TRADING_HOURS": ReasonText("it is outside the trading hours", "wait for them; exits pass"),
    "RISK_ASSET_EXPOSURE": ReasonText(
        "the positions in one asset could add up to more than their cap", "reduce one of them first"
    ),
    "RISK_BORROW": ReasonText("more would be borrowed than the cap", "pay back, or borrow less"),
    "RISK_FUNDING": ReasonText("the side that is added to pays too much funding", "wait for a lower rate"),
    "RISK_GROSS_EXPOSURE": ReasonText(
        "all positions together could be worth more than their cap", "reduce one of them first"
    ),
    "RISK_LEVERAGE": ReasonText("the leverage is over its cap, or not known", "lower the leverage at the exchange"),
    "RISK_LIQUIDATION": ReasonText("the liquidation price is too near", "reduce, or add margin"),
    "RISK_MARGIN_RATIO": ReasonText("maintenance margin takes too much of the balance", "reduce, or add margin"),
    "RISK_NET_EXPOSURE": ReasonText(
        "the account could be long or short by more than its cap", "reduce, or hedge with filled orders"
    ),
    "RISK_OPEN_POSITIONS": ReasonText("too many positions would be open", "close one first"),
    "RISK_OPEN_ORDERS": ReasonText(
        "too many orders are open", "cancel some, or wait until they fill; `policykit orders` lists them"
    ),
    "RISK_ORDER_NOTIONAL": ReasonText(
        "the order is larger than its cap", "send at most the cap, or have the policy changed"
    ),
    "RISK_ORDER_TYPE": ReasonText("this order type is not allowed", "use a type that the policy names"),
    "RISK_POSITION": ReasonText(
        "the position could grow beyond its cap", "send less, cancel open orders there, or reduce the position first"
    ),
    "RISK_PRICE_COLLAR": ReasonText("the price is too far from the market", "see where the bot took its price from"),
    "RISK_QUOTE_ASSET": ReasonText(
        "a sell into another asset than the account's currency raises that asset, whose position is capped",
        "sell into the account's currency, or buy that asset in a market of its own",
    ),
    "RISK_SYMBOL": ReasonText("this symbol is not allowed", "trade a symbol that the policy allows, or have it added"),
    "SECRET_IN_ORDER": ReasonText(
        "a known secret stands in a symbol, a type or a client order id",
        "see what the bot puts there; a client order id is sent to the exchange and kept for look-ups",
    ),
    "STAGE_PAPER": ReasonText(
        "the policy went to paper while this guard traded for real: nothing like an order leaves, exits neither",
        "restart the bot: then it trades on paper",
    ),
    "STAGE_SANDBOX": ReasonText(
        "the policy's stage is sandbox and its environment is live: nothing like an order leaves, exits neither",
        "set `environment: sandbox`, or move to the next stage",
    ),
    "STAGE_UNPROVEN": ReasonText(
        "the store has no evidence that this stage was earned",
        "see `policykit stage check POLICY`; increases wait for it, exits and cancels pass",
    ),
    "STATE_MOVING": ReasonText(
        "the trading state kept moving while the order was decided", "send it again as a new order: nothing was sent"
    ),
    "STORE_CURRENCY": ReasonText(
        "the store counts this account in another currency", "use the same account.currency, or another store"
    ),
    "STORE_DAMAGED": ReasonText("the store cannot be read", "see `policykit journal verify`"),
    "STORE_DOWN": ReasonText(
        "the store cannot be reached or written", "bring it back; increases wait for it, exits and cancels pass"
    ),
    "STORE_EPHEMERAL": ReasonText(
        "the store would forget halts and intents", "put it on a disk that lasts (POLICYKIT_STORE=sqlite:///PATH)"
    ),
    "STORE_FULL": ReasonText("the disk of the store is full", "make room on it; exits and cancels pass meanwhile"),
    "STORE_LOCKED": ReasonText(
        "another process holds the store", "find that process and end it, or give it its own store"
    ),
    "STORE_READ_ONLY": ReasonText("the store cannot be written", "check owner and mode of the file and its folder"),
    "STORE_RESET": ReasonText("the store is not the one that was seen before", "reconcile, then re-arm by name"),
    "STORE_SHARE": ReasonText("the store serves fewer than `store.share` asks for", "use a store that serves them"),
    "STORE_URI": ReasonText(
        "the store's address cannot be read", "use memory:, sqlite:///PATH or valkey://HOST:PORT/0"
    ),
    "STORE_VERSION": ReasonText("the store was written by a newer policykit", "upgrade policykit on this host"),
    "STREAM_GAP": ReasonText(
        "a stream came back, and what was missed meanwhile is not read yet",
        "wait for the next round of the guard's maintenance, or give facts with `guard.observe`; exits pass",
    ),
    "STREAM_STALE": ReasonText(
        "a stream that the bot trades by is down or silent",
        "see in the log (`policykit.guard`) why it does not connect; exits pass meanwhile",
    ),
    "TRADING_FROZEN": ReasonText(
        "trading is frozen, reductions too: a compromise is suspected",
        "follow the runbook; then a named person runs `policykit resume --scope SCOPE --by NAME --why TEXT`",
    ),
    "TRADING_HALTED": ReasonText(
        "trading is halted; only cancels and reductions pass",
        "find out why; then a named person runs `policykit resume --scope SCOPE --by NAME --why TEXT`",
    ),
    "TRADING_REDUCING": ReasonText(
        "only cancels and reductions pass",
        "mend the cause; `policykit status` shows it, and the `policykit resume` that ends it",
    ),
    "WEEKLY_LOSS": ReasonText(
        "the week's loss reached its limit",
        "find out why; then a named person runs `policykit resume --scope SCOPE --by NAME --why TEXT`",
    ),
    "WEEK_BASE_MISSING": ReasonText(
        "equity at the start of the week was not observed", "wait for the guard's next observation"
    ),
}
