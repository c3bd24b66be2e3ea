"""Make the bundled model profiles: facts of all models of OpenRouter, as the models.dev project (MIT) gathers them.

    python tools/make_profiles.py FILE [--as-of 2026-09-18]

FILE is JSON: a model's slug -> its profile under LangChain's names (``max_input_tokens``, ``tool_calling`` ...), as
LangChain's ``langchain-profiles`` command makes them from models.dev.
"""

import argparse
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "integrations/openrouter_adapters/core/catalog_profiles.py"
HEADER = '''"""The bundled model profiles. Made by ``tools/make_profiles.py``: do not edit.

{count} models, as of {as_of}. The facts are those of models.dev (https://models.dev, MIT License).
A row is id, name, context length and longest answer (tokens), input modalities, output modalities, and the request
options that some provider supports and that none does. What stands in neither is unknown, prices are not in here.
"""

from typing import Any

PROFILES: tuple[tuple[Any, ...], ...] = (
'''
_MODALITIES = ("text", "image", "audio", "video")
_PARAMETERS = {"tool_calling": "tools", "reasoning_output": "reasoning", "temperature": "temperature"}


def row(slug: str, profile: Mapping[str, Any]) -> tuple[Any, ...]:
    """One row; `core.catalog.Model.from_profile` reads it."""
    reads = [kind for kind in _MODALITIES if profile.get(f"{kind}_inputs")]
    reads += ["file"] if profile.get("pdf_inputs") else []
    makes = [kind for kind in _MODALITIES if profile.get(f"{kind}_outputs")]
    supports = [name for key, name in _PARAMETERS.items() if profile.get(key) is True]
    lacks = [name for key, name in _PARAMETERS.items() if profile.get(key) is False]
    # Where nobody has noted it, models.dev has False: that says nothing.
    supports += ["structured_outputs"] if profile.get("structured_output") else []
    limits = (profile.get("max_input_tokens"), profile.get("max_output_tokens"))
    return (slug, profile.get("name"), *limits, tuple(reads), tuple(makes), tuple(supports), tuple(lacks))


def main() -> None:
    """Read the file named on the command line, and write the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--as-of", default=datetime.date.today().isoformat())
    arguments = parser.parse_args()
    given = json.loads(arguments.file.read_bytes())
    profiles = {slug: given[slug] for slug in given if not slug.startswith("openrouter/")}  # routers are no models
    header = HEADER.format(count=len(profiles), as_of=arguments.as_of)
    rows = [f"    {row(slug, profiles[slug])!r},\n" for slug in sorted(profiles)]
    TARGET.write_text(f"{header}{''.join(rows)})\n", encoding="utf-8")
    print(f"{len(rows)} models in {TARGET.name}")


if __name__ == "__main__":
    main()
