"""What genai-prices knows: which ids a model answers to, its prices now and those announced."""

import datetime
import re

PROVIDERS = {
    "openai": "openai", "anthropic": "anthropic", "google": "gemini", "groq": "groq", "mistral": "mistral",
    "deepseek": "deepseek", "x-ai": "xai", "together": "together", "fireworks": "fireworks",
    "openrouter": "openrouter", "perplexity": "perplexity", "azure": "azure", "aws": "bedrock",
    "cohere": "cohere",
}  # fmt: skip
CLASSES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_long",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
}


def matches(rule, model):
    """Whether a match rule takes the model id."""
    match rule["kind"]:
        case "ClauseEquals":
            return model == rule["equals"]
        case "ClauseStartsWith":
            return model.startswith(rule["starts_with"])
        case "ClauseEndsWith":
            return model.endswith(rule["ends_with"])
        case "ClauseContains":
            return rule["contains"] in model
        case "ClauseRegex":
            return re.search(rule["regex"], model) is not None
        case "ClauseOr":
            return any(matches(part, model) for part in rule["or_"])
        case "ClauseAnd":
            return all(matches(part, model) for part in rule["and_"])
    raise SystemExit(f"genai-prices: unknown rule {rule['kind']}")


def exact_ids(model):
    """The ids that a model is matched to by equality: no prefix rule, which could take another model."""

    def walk(rule):
        if rule["kind"] == "ClauseEquals":
            yield rule["equals"]
        for part in rule.get("or_", []):
            yield from walk(part)

    own = [model["id"]] if matches(model["match"], model["id"].lower()) else []
    return sorted({*own, *walk(model["match"])})


def classes(prices):
    """Our classes of one price: (above, class) to nanodollars per million tokens."""
    found = {}
    for theirs, ours in CLASSES.items():
        value = prices.get(theirs)
        if isinstance(value, dict):
            found[0, ours] = int(value["base"] * 10**9)
            for tier in value["tiers"]:
                found[tier["start"], ours] = int(tier["price"] * 10**9)
        elif value is not None:
            found[0, ours] = int(value * 10**9)
    return found


def conditional(model):
    """The prices of a model as a list of (constraint or None, classes), in the source's order."""
    prices = model["prices"]
    if isinstance(prices, dict):
        return [(None, classes(prices))]
    return [(each.get("constraint"), classes(each["prices"])) for each in prices]


def dearest_on(model, day):
    """The price of a day; with prices by the hour, the dearest of the day."""

    def begun(constraint):
        return constraint is None or constraint.get("start_date", datetime.date.max) <= day

    dated = [price for constraint, price in conditional(model) if begun(constraint)]
    hourly = [price for constraint, price in conditional(model) if constraint and "start_time" in constraint]
    return max(dated[-1:] + hourly, key=lambda price: price.get((0, "input"), 0), default={})


def announced(model, day):
    """Prices that begin after a day: (date, classes)."""
    return [
        (constraint["start_date"], price)
        for constraint, price in conditional(model)
        if constraint and constraint["kind"] == "StartDateConstraint" and constraint["start_date"] > day
    ]


def index(providers):
    """Provider kind to its models."""
    return {PROVIDERS[p["id"]]: p["models"] for p in providers if p["id"] in PROVIDERS}


def find(models, model_id):
    """The model that an id belongs to, or None."""
    return next((model for model in models if matches(model["match"], model_id.lower())), None)


def date(text):
    """A day written as 2026-11-22."""
    return datetime.date.fromisoformat(text)
