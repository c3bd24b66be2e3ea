"""Three models asked the same at the same time: what each says, how fast, for how much; and a page to show others."""

import tempfile
from pathlib import Path

from offline import openrouter

from openrouter_adapters.cli import compare_models, comparison_page

QUESTION = "Why are lighthouses white?"
MODELS = ["openai/gpt-4o-mini", "anthropic/claude-haiku-4.5", "meta-llama/llama-3.3-70b-instruct"]
SAID = [
    "White stands out against land and sea.",
    "By day they are marks: white is seen from far. Where snow or chalk lies behind, they have bands of red.",
    "So that ships can see them.",
]


def script(gateway):  # only without a key: what the local gateway answers
    for model, answer in zip(MODELS, SAID, strict=True):
        gateway.reply(answer, match=lambda body, model=model: body["model"] == model, delay=0.02)
    gateway.slow("anthropic", 0.2)
    return "a local gateway gives scripted answers; its provider anthropic takes its time."


def row(model, *cells):
    print(f"  {model:<36}" + "".join(f"{cell:>15}" for cell in cells))


def shown(number, how):
    return "-" if number is None else format(number, how)  # what is not known is None


with openrouter(script) as connection:
    print(f"> {QUESTION}\n")
    found = compare_models(QUESTION, MODELS, max_tokens=200, **connection)  # framework="llamaindex" does the same

row("", "first token, s", "total, s", "tokens", "cost, $")
for one in found:
    if one.error:
        row(one.model, type(one.error).__name__)
    else:
        tokens = one.tokens and one.tokens.total
        row(
            one.model,
            shown(one.first_token, ".2f"),
            shown(one.seconds, ".2f"),
            shown(tokens, ","),
            shown(one.cost, ".6f"),
        )
for one in found:
    print(f"\n  {one.model} at {one.provider}:\n  {one.text or one.error}")

page = Path(tempfile.mkdtemp()) / "lighthouses.html"
comparison_page(QUESTION, found).write(page)
print(f"\nThe same as a page: {page.as_uri()}")
