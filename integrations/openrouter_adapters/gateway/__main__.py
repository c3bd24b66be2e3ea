"""``python -m openrouter_adapters.gateway`` serves the local gateway until it is told to stop."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence

from . import LocalGateway

__all__ = ["main"]

_LAST_PORT = 65_535
_HOW_TO = """\
The local gateway is at  {base_url}
Point a client at it:

  export OPENROUTER_BASE_URL={base_url}
  export OPENROUTER_API_KEY={key}

No request leaves this machine, and the costs are play money. Ctrl-C stops it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C (SIGINT) or SIGTERM.

    Args:
        arguments: the command line; the process's own when not given.

    Returns:
        The exit code: 0 when it was told to stop, 1 when it could not serve.
    """
    given = _parser().parse_args(arguments)
    gateway = LocalGateway(port=given.port, api_key=given.key)
    try:
        gateway.start()
    except (ImportError, OSError) as error:
        print(_reason(error, given.port), file=sys.stderr)
        return 1
    try:
        _listen_to_signals()
        print(_HOW_TO.format(base_url=gateway.base_url, key=given.key or "any"), flush=True)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        _ignore_signals()
        if sys.stdout.isatty():
            print()  # ends the line that ^C stands on
        return 0
    finally:
        gateway.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m openrouter_adapters.gateway",
        description="A local OpenRouter for demos and tests: real HTTP on 127.0.0.1, no network, no cost.",
    )
    parser.add_argument("--port", type=_port, default=0, help="the port; a free one when not given")
    parser.add_argument("--key", help="the only API key that is let in; any is, when not given")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 (a free one) to {_LAST_PORT}")
    return int(text)


def _reason(error: Exception, port: int) -> str:
    if isinstance(error, OSError):
        why = os.strerror(error.errno) if error.errno else error
        return f"The local gateway cannot use port {port} ({why}): give another with --port, or none for a free one"
    return str(error)


def _listen_to_signals() -> None:
    """Let SIGTERM do what Ctrl-C does, and Ctrl-C work in the background, too, where shells have it ignored."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.default_int_handler)


def _ignore_signals() -> None:
    """Whoever presses Ctrl-C twice wants no traceback."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
