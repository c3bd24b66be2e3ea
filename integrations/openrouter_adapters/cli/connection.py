"""The options of every command that talks to OpenRouter: where it is, and who asks.

::

    def models(word: str, base_url: BaseUrl = None, api_key: ApiKey = None) -> None: ...
"""

from __future__ import annotations

from typing import Annotated

import typer

BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url", envvar="OPENROUTER_BASE_URL", metavar="URL", help="Where OpenRouter is.", show_default=False
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="OPENROUTER_API_KEY",
        metavar="KEY",
        help="Your key. Better in the environment: a command line is seen by others.",
        show_default=False,
    ),
]
