"""What the site has beside ``docs/``: a page for every example, and the changelog.

MkDocs calls these functions. A link that leads out of ``docs/``, as it should on a code host, leads to a page here.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
_EXAMPLE = """\
# {name}

{how}

```python
{code}```
"""
_SCRIPT = """\
```sh
python examples/{name}
```

In a checkout it runs offline, against the local gateway; with `OPENROUTER_API_KEY` set, live."""
_OTHERS = {
    "demo.py": "In a checkout: `make demo`, offline, or `make demo LIVE=1`, with `OPENROUTER_API_KEY` set.",
    "offline.py": "No script: what the other examples share.",
    "test_under_faults.py": "In a checkout: `pytest examples/test_under_faults.py`, without a key or the network.",
}
"""How to run the examples that are no scripts."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation ends with what is made here."""
    examples = [{path.name: f"examples/{path.stem}.md"} for path in _examples()]
    config.nav = [*(config.nav or []), {"Examples": examples}, {"Changelog": "changelog.md"}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages that are made here join those of ``docs/``."""
    for path in _examples():
        how = _OTHERS.get(path.name, _SCRIPT.format(name=path.name))
        page = _EXAMPLE.format(name=path.name, how=how, code=path.read_text(encoding="utf-8"))
        files.append(File.generated(config, f"examples/{path.stem}.md", content=page))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=changelog))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Links to what is beside ``docs/`` lead to its page on the site."""
    return re.sub(r"\]\(\.\./examples/(\w+)\.py\)", r"](examples/\1.md)", markdown).replace(
        "](../CHANGELOG.md)", "](changelog.md)"
    )


def _examples() -> list[Path]:
    return sorted((ROOT / "examples").glob("*.py"))
