"""Rows from LiteLLM's list: which models, which prices, which capabilities."""

import re
from decimal import Decimal

# LiteLLM's provider, our provider kind, the prefix that its keys carry.
PROVIDERS = {
    "openai": ("openai", "openai/"),
    "text-completion-openai": ("openai", "openai/"),
    "anthropic": ("anthropic", "anthropic/"),
    "gemini": ("gemini", "gemini/"),
    "groq": ("groq", "groq/"),
    "mistral": ("mistral", "mistral/"),
    "deepseek": ("deepseek", "deepseek/"),
    "xai": ("xai", "xai/"),
    "together_ai": ("together", "together_ai/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "perplexity": ("perplexity", "perplexity/"),
    "azure": ("azure", "azure/"),
    "bedrock": ("bedrock", "bedrock/"),
    "bedrock_converse": ("bedrock", "bedrock/"),
    "cohere": ("cohere", "cohere/"),
    "cohere_chat": ("cohere", "cohere/"),
    "voyage": ("voyage", "voyage/"),
    "jina_ai": ("jina", "jina_ai/"),
    "cloudflare": ("cloudflare", "cloudflare/"),
}
# Kinds whose bare keys are not model names but price brackets by size ("together-ai-4.1b-8b").
PREFIX_REQUIRED = {"together", "fireworks"}
# Kinds whose model names never hold a slash; with one it is a region or an image size.
SLASHLESS = {
    "openai", "anthropic", "gemini", "groq", "mistral", "deepseek", "xai", "bedrock", "azure", "vertex",
}  # fmt: skip
MODES = {"chat", "completion", "responses", "embedding", "image_generation", "rerank", None}
# What these do is billed by something else than tokens: LiteLLM's member, our class, ours for one of theirs.
UNITS = {
    "audio_transcription": ("input_cost_per_second", "audio_hour", 3600 * 10**9),
    "audio_speech": ("input_cost_per_character", "character", 10**15),
    "image_generation": ("input_cost_per_image", "image", 10**9),
}
# What these do costs nothing where the list says so.
FREE = {"moderation"}
# Kinds whose models that rank are reached by an API that the gateway does not speak.
RANKS_ELSEWHERE = {"vertex"}

# LiteLLM's member, our class of tokens.
CLASSES = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_long",
    "cache_creation_input_token_cost_above_12hr": "cache_write_long",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
}
TIERS = {"batches": "batch", "flex": "flex", "priority": "priority", "ultrafast": "ultrafast"}
MEMBER = re.compile(
    r"^(?P<base>.+?_cost(?:_per_\w+?_token|_per_token)?(?:_above_1hr|_above_12hr)?)"
    r"(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority|ultrafast))?$"
)

# LiteLLM's flag, ours. An absent flag is unknown, not false.
FLAGS = {
    "supports_sampling_params": "sampling",
    "supports_function_calling": "tools",
    "supports_vision": "images",
    "supports_audio_input": "audio",
    "supports_pdf_input": "documents",
    "supports_response_schema": "structured",
    "supports_reasoning": "reasoning",
    "supports_mid_conversation_system": "system_anywhere",
    "supports_adaptive_thinking": "adaptive_thinking",
}


def rate(dollars_per_token):
    """Nanodollars per million tokens; rounds the noise that floats left in the source."""
    return round(dollars_per_token * 10**15)


def place(name, entry):
    """The provider kind and the model id of an entry, or None for what is not a model of ours."""
    provider = entry.get("litellm_provider", "")
    kind, prefix = PROVIDERS.get(provider, (None, ""))
    if kind is None and provider.startswith("vertex_ai"):
        kind, prefix = "vertex", "vertex_ai/"
    if kind is None or not (entry.get("mode") in MODES or by_unit(entry)):
        return None
    if kind in RANKS_ELSEWHERE and entry.get("mode") == "rerank":
        return None
    if not name.startswith(prefix) and kind in PREFIX_REQUIRED:
        return None
    model = name.removeprefix(prefix)
    if (kind in SLASHLESS and "/" in model) or re.search(r'["\\*\s]', model):
        return None
    return kind, model


def by_unit(entry):
    """The price of what is billed by the hour, the character or the piece alone, or of what is free; else empty."""
    if entry.get("mode") in FREE:
        return {"input": 0, "output": 0} if entry.get("input_cost_per_token") == 0 else {}
    member, ours, factor = UNITS.get(entry.get("mode"), (None, None, 0))
    if entry.get("input_cost_per_token") or not isinstance(entry.get(member), Decimal) or entry[member] <= 0:
        return {}
    return {"input": 0, "output": 0, ours: round(entry[member] * factor)}


def rates(entry):
    """Every token price of an entry: (tier, above) to class to nanodollars per million tokens."""
    found = {}
    for name, value in entry.items():
        match = MEMBER.match(name)
        if not match or match["base"] not in CLASSES or not isinstance(value, Decimal) or value <= 0:
            continue
        slot = TIERS.get(match["tier"]), int(match["above"] or 0) * 1000
        found.setdefault(slot, {})[CLASSES[match["base"]]] = rate(value)
    return found


def complete(found, entry):
    """The standard price with input and output, or None when one of them is unknown."""
    if entry.get("mode") == "rerank" and search_unit(entry):
        # Billed by the unit alone: tokens cost nothing beside it.
        found[None, 0] = {"input": 0, "output": 0}
    if by_unit(entry):
        found[None, 0] = by_unit(entry)
    base = found.get((None, 0), {})
    if "input" not in base:
        return None
    if "output" not in base and "image_output" in base:
        base["output"] = base["image_output"]
    if "output" not in base:
        if entry.get("mode") not in ("embedding", "rerank"):
            return None
        base["output"] = 0
    return base


def windows(entry):
    """Off-peak spans as minutes of the week from Monday 00:00 UTC."""
    spans = []
    for window in entry.get("off_peak_pricing", {}).get("windows", []):
        hours = window["hours_utc"] if isinstance(window["hours_utc"], list) else [window["hours_utc"]]
        for day in window["weekdays"]:
            for span in hours:
                start, end = (int(t[:2]) * 60 + int(t[3:]) for t in span.split("-"))
                midnight = (int(day) - 1) * 1440
                spans.append([midnight + start, midnight + (end or 1440)])
    return sorted(spans)


def off_peak(entry):
    """The off-peak price as class to rate, empty without one."""
    prices = entry.get("off_peak_pricing", {})
    return {CLASSES[name]: rate(value) for name, value in prices.items() if name in CLASSES}


def search_unit(entry):
    """Nanodollars for a question with up to a hundred documents, 0 where rankings are billed by the token."""
    return round(entry.get("input_cost_per_query", 0) * 10**9)


def fees(kind, model, entry):
    """Fees by the piece in nanodollars: one web search, one search unit of a ranking, one request.

    Perplexity's plain Sonar models search once for every request and charge it as a request fee.
    """
    if entry.get("mode") == "rerank":
        return {"search_unit": search_unit(entry)}
    sizes = entry.get("search_context_cost_per_query", {})
    nanos = {name.rsplit("_", 1)[1]: round(value * 10**9) for name, value in sizes.items()}
    if kind == "perplexity" and model.startswith("sonar") and "deep-research" not in model:
        return {"request": nanos.get("low", 0)}
    return {"search": nanos.get("medium", 0)}


def capabilities(entry):
    """Flags and sizes as the catalogue writes them."""
    known = {ours: entry[theirs] for theirs, ours in FLAGS.items() if isinstance(entry.get(theirs), bool)}
    row = {
        "can": sorted(name for name, value in known.items() if value),
        "cannot": sorted(name for name, value in known.items() if not value),
    }
    for theirs, ours in (("max_input_tokens", "context"), ("max_output_tokens", "output")):
        if isinstance(entry.get(theirs), Decimal) and entry[theirs] > 0:
            row[ours] = int(entry[theirs])
    return row
