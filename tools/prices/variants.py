"""The price variants of one row: by service tier, prompt size, hour and date.

The reader takes the **last** variant whose conditions hold, so the order here is the meaning: standard,
off-peak, larger prompts, then the same for each service tier, then the same again for each announced date.
Every variant is whole: a class that the source leaves out for a tier is derived here.
"""

from decimal import Decimal

ORDER = (
    "input", "output", "cached_read", "cache_write", "cache_write_long", "reasoning",
    "audio_input", "audio_output", "image_input", "image_output", "image", "audio_hour", "character",
)  # fmt: skip
OUTPUTS = {"output", "reasoning", "audio_output", "image_output"}
TIERS = ("batch", "flex", "priority", "ultrafast")


def build(prices, off_peak, fast):
    """All variants of LiteLLM's prices. `fast` multiplies the whole standard price (Anthropic)."""
    steps = sorted(above for tier, above in prices if tier is None and above)
    standard = {0: prices[None, 0]} | {above: fill(prices[None, 0], prices[None, above]) for above in steps}
    rows = [variant(standard[0])]
    night, spans = off_peak
    if night and spans:
        rows.append(variant({**standard[0], **night}, windows=spans))
    rows += [variant(standard[above], above=above) for above in steps]
    for tier in TIERS:
        if "input" not in prices.get((tier, 0), {}):
            continue
        base = fill(standard[0], prices[tier, 0])
        rows.append(variant(base, tier=tier))
        for above in steps:
            derived = scale(standard[above], standard[0], base) | prices.get((tier, above), {})
            rows.append(variant(derived, tier=tier, above=above))
    if fast:
        for above, price in standard.items():
            dearer = {name: round(Decimal(rate) * fast) for name, rate in price.items()}
            rows.append(variant(dearer, tier="fast", above=above))
    return rows


def fill(standard, partial):
    """A whole price from a partial one. What is left out keeps its proportion to input or output; a cached
    read, which some tiers do not discount, keeps its standard price unless input itself is cheaper."""
    whole = scale(standard, standard, partial) | partial
    if "cached_read" in standard and "cached_read" not in partial:
        whole["cached_read"] = min(standard["cached_read"], whole["input"])
    return whole


def scale(price, old, new):
    """`price`, each class changed as much as it changes from `old` to `new`; a class that either of them
    leaves out changes as its direction's base class does."""
    changed = {}
    for name, rate in price.items():
        base = "output" if name in OUTPUTS else "input"
        like = name if old.get(name) and name in new else base
        changed[name] = round(rate * Decimal(new.get(like, old[like])) / old[like]) if old.get(like) else rate
    return changed


def from_genai(theirs):
    """Variants of a price of genai-prices: the standard one and those for larger prompts."""
    base = {name: rate for (above, name), rate in theirs.items() if above == 0}
    rows = [variant(base)]
    for step in sorted({above for above, _ in theirs if above}):
        higher = {name: rate for (above, name), rate in theirs.items() if above == step}
        rows.append(variant(fill(base, higher), above=step))
    return rows


def announced(current, before, after, day):
    """The current variants at an announced price: each class changes as the announcement changes it."""
    old = {name: rate for (above, name), rate in before.items() if above == 0}
    new = {name: rate for (above, name), rate in after.items() if above == 0}
    rows = []
    for row in current:
        if "from" in row:
            continue
        conditions = {name: row[name] for name in ("tier", "above", "windows") if name in row}
        price = {name: row[name] for name in ORDER if name in row}
        rows.append(variant(scale(price, old, new), **{"from": day.isoformat()}, **conditions))
    return rows


def variant(price, **conditions):
    """One variant: its conditions, then its rates without those that equal their base class."""
    row = {name: value for name, value in conditions.items() if value}
    for name in ORDER:
        base = "output" if name in OUTPUTS else "input"
        if name in price and (name == base or price[name] != price[base]):
            row[name] = price[name]
    return row
