"""LocalGateway: a local OpenRouter to point a client at."""

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import echo, faults
from .market import MODELS, PROVIDERS, Endpoint, Model, Provider
from .reply import Reply, Respond
from .state import Exchange, Match, State

if TYPE_CHECKING:
    from .server import Server

__all__ = ["LocalGateway"]

_MISSING = "The local gateway needs starlette and uvicorn: pip install 'openrouter-adapters[gateway]'"


class LocalGateway:
    """A local OpenRouter: real HTTP on 127.0.0.1 that speaks OpenRouter's dialect.

    With nothing scripted it answers sensibly by itself. Use it as a context manager::

        with LocalGateway() as gateway:
            gateway.reply("Hello!")
            ...  # a client with base_url=gateway.base_url
            assert gateway.requests[0].body["model"] == "openai/gpt-4o-mini"
    """

    def __init__(
        self,
        *,
        port: int = 0,
        models: Iterable[Model] = MODELS,
        providers: Iterable[Provider] = PROVIDERS,
        respond: Respond = echo.respond,
        api_key: str | None = None,
        strict: bool = False,
    ) -> None:
        """A gateway that is not yet serving.

        Args:
            port: the port; 0 takes a free one.
            models: what it sells.
            providers: who sells.
            respond: what answers a request that nothing is scripted for, such as a `LocalModel`.
            api_key: the only key that is let in; any key is, when not given.
            strict: refuse (400) what nothing is scripted for.
        """
        self._port = port
        self._respond = respond
        self._api_key = api_key
        self._strict = strict
        self._models = tuple(models)
        self._providers = tuple(providers)
        self._server: Server | None = None
        self.reset()

    def start(self) -> "LocalGateway":
        """Begin to serve.

        Raises:
            ImportError: starlette or uvicorn is not installed.
        """
        if self._server is None:
            try:
                from .server import Server
            except ImportError as error:
                raise ImportError(_MISSING) from error
            self._server = Server(self._state, self._port)
            self._server.start()
        return self

    def stop(self) -> None:
        """Cease to serve; open connections are closed."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> "LocalGateway":
        """Begin to serve."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cease to serve."""
        self.stop()

    @property
    def base_url(self) -> str:
        """What a client takes for OpenRouter's base URL."""
        if self._server is None:
            raise RuntimeError("the gateway is not running: use `with LocalGateway() as gateway`, or start()")
        return f"http://127.0.0.1:{self._server.port}/api/v1"

    @property
    def strict(self) -> bool:
        """Whether what nothing is scripted for is refused (400), by chat, embeddings and reranking alike.

        May be set; `reset` brings back what the gateway was made with.
        """
        return self._state.strict

    @strict.setter
    def strict(self, strict: bool) -> None:
        self._state.strict = strict

    @property
    def unscripted(self) -> list[Exchange]:
        """The requests so far that were refused because nothing was scripted for them, oldest first."""
        return list(self._state.unscripted)

    @property
    def unused(self) -> list[Reply]:
        """The scripted replies that were not given so many times as they are to be."""
        return self._state.replies.left()

    @property
    def requests(self) -> list[Exchange]:
        """The requests so far, oldest first."""
        return list(self._state.log)

    def reply(
        self,
        text: str | None = None,
        *,
        match: Match = None,
        times: int | None = 1,
        path: str = "/chat/completions",
        **fields: Any,
    ) -> None:
        """Script an answer. Answers are given in the order in which they were scripted.

        Args:
            text: the answer's text.
            match: answer only requests that this suits.
            times: how many requests are answered so; None for all.
            path: "/embeddings" or "/rerank": vectors or ranks are computed, and the fields ``model``, ``provider``,
                ``usage``, ``cost``, ``omit``, ``comments``, ``delay``, ``body``, ``status`` and ``headers`` count.
                "/key" or "/models": ``body``, ``status`` and ``headers`` count.
            **fields: any other field of `Reply`.
        """
        self._state.replies.add(Reply(text, **fields), match, times, path)

    def fault(self, name: str, *, match: Match = None, times: int | None = 1, path: str = "", **details: Any) -> None:
        """Let something go wrong with the next request.

        Args:
            name: one of `FAULTS`.
            match: only with requests that this suits.
            times: with how many requests; None for all.
            path: only with requests whose path contains this.
            **details: what the fault takes, such as ``message``, ``after`` or ``retry_after``.

        Raises:
            ValueError: there is no such fault.
            TypeError: no fault has such a detail, or not such a value for it.
        """
        self._state.faults.add(faults.find(name, **details), match, times, path)

    def down(self, provider: str, status: int = 503) -> None:
        """Let a provider fail from now on; requests fall back to others."""
        self._state.down[self._known(provider)] = status

    def up(self, provider: str) -> None:
        """Let a provider work again, and at full speed."""
        self._state.down.pop(self._known(provider), None)
        self._state.slow.pop(provider, None)

    def slow(self, provider: str, seconds: float) -> None:
        """Let a provider take its time before it answers."""
        self._state.slow[self._known(provider)] = seconds

    def serve(self, model: Model | str) -> None:
        """Sell one more model; a mere slug is sold by OpenAI for a dollar per million tokens."""
        if isinstance(model, str):
            model = Model(model, (Endpoint("openai", "0.000001", "0.000001"),))
        for endpoint in model.endpoints:
            self._known(endpoint.provider)
        self._state.models[model.id] = model

    def reset(self) -> None:
        """Forget everything: script, faults, log, generations, and who is down."""
        fresh = State(
            {model.id: model for model in self._models},
            {provider.slug: provider for provider in self._providers},
            self._respond,
            self._api_key,
            self._strict,
        )
        self._state = fresh
        if self._server is not None:
            self._server.renew(fresh)

    def _known(self, provider: str) -> str:
        if provider not in self._state.providers:
            raise ValueError(f"no provider is called {provider!r}: there are {', '.join(self._state.providers)}")
        return provider
