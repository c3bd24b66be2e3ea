"""LangChain's standard suites for chat models, offline: every flag on that OpenRouter can serve, nothing left out.

The integration suites talk to the local gateway over real HTTP. What langchain-tests itself downloads comes from
``downloads.yaml``, and the story of its benchmark from the cassettes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import pytest
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.integration_tests import chat_models as integration
from langchain_tests.unit_tests import ChatModelUnitTests
from syrupy.assertion import SnapshotAssertion
from vcr import VCR

from cassettes.tape import kept_request, path_of
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter

MODEL = "google/gemini-2.5-flash"
SPEAKER = "openai/gpt-4o-audio-preview"
WRITER = "anthropic/claude-haiku-4.5"
V1 = {"output_version": "v1"}
DETAILS = ["audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"]
SOUND = {"type": "audio", "base64": "UklGRiQAAABXQVZF", "mime_type": "audio/wav"}
RULES = {"type": "text", "text": "Answer in rhymes, always.", "cache_control": {"type": "ephemeral"}}
ENVIRONMENT = {
    "OPENROUTER_API_KEY": "any",
    "OPENROUTER_BASE_URL": "https://openrouter.example/api/v1",
    "OPENROUTER_APP_URL": "https://app.example",
    "OPENROUTER_APP_TITLE": "An app",
    "OPENROUTER_SESSION_ID": "a-session",
}


# -------------------------------------------------------------------------------------------------------------- unit


class TestUnit(ChatModelUnitTests):
    chat_model_class = ChatOpenRouter
    content: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def has_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENROUTER_API_KEY", "any")

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, **self.content}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        expected = {name.removeprefix("OPENROUTER_").lower(): value for name, value in ENVIRONMENT.items()}
        return ENVIRONMENT, self.chat_model_params, expected

    @pytest.mark.xfail(
        reason="langchain_core.load loads by namespace only the classes that core itself lists; "
        "see test_a_model_is_written_down_and_read_again",
        raises=ValueError,
    )
    def test_serdes(self, model: ChatOpenRouter, snapshot: SnapshotAssertion) -> None:
        super().test_serdes(model, snapshot)


class TestUnitV1(TestUnit):
    content = V1


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize("content", [{}, V1], ids=["v0", "v1"])
def test_a_model_is_written_down_and_read_again(content: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "from-the-environment")
    options: dict[str, Any] = {"models": ["openai/gpt-4.1"], "provider": {"zdr": True}, "timeout": 60, "stop": ["END"]}
    model = ChatOpenRouter(model=MODEL, temperature=0.0, **options, **content)
    text = dumps(model)
    assert "from-the-environment" not in text
    allowed: Any = {"allowed_objects": [ChatOpenRouter], "valid_namespaces": ["openrouter_adapters"]}
    key = {"OPENROUTER_API_KEY": "from-the-environment"}
    for loaded in (loads(text, secrets_from_env=True, **allowed), loads(text, secrets_map=key, **allowed)):
        assert type(loaded) is ChatOpenRouter and loaded.asdict() == model.asdict()
        assert loaded.model_dump() == model.model_dump()
        assert loaded.api_key == model.api_key and loaded.output_version == model.output_version


# ------------------------------------------------------------------------------------------------------- integration


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    """Where pytest-recording looks for the cassette of the one test that is marked for it."""
    return str(path_of("langchain", "story", "streamed").parent)


@pytest.fixture
def default_cassette_name() -> str:
    return path_of("langchain", "story", "streamed").stem


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    """The cassettes know the address of OpenRouter only; the gateway's is translated."""
    replay = {"record_mode": "none", "allow_playback_repeats": True}
    return {**replay, "match_on": ("method", "uri", "body"), "before_record_request": kept_request}


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What langchain-tests downloads by itself; only while it does so, so that everything else is real HTTP."""
    download: Callable[..., Any] = integration.httpx.get
    tape = VCR(record_mode="none", match_on=("method", "uri"))

    def get(*args: Any, **options: Any) -> Any:
        with tape.use_cassette(str(Path(__file__).with_name("downloads.yaml"))):
            return download(*args, **options)

    monkeypatch.setattr(integration.httpx, "get", get)
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "openrouter-adapters")


class TestIntegration(ChatModelIntegrationTests):
    chat_model_class = ChatOpenRouter
    content: ClassVar[dict[str, Any]] = {}

    supports_json_mode = True
    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_audio_inputs = True
    supports_video_inputs = True
    supports_anthropic_inputs = True
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    enable_vcr_tests = True
    model_override_value = "openai/gpt-4.1-mini"

    @pytest.fixture(autouse=True)
    def offline(self, openrouter_gateway: LocalGateway, downloads: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_gateway.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "any")

    @pytest.fixture
    def model(self, offline: None, request: pytest.FixtureRequest) -> Iterator[ChatOpenRouter]:
        options = getattr(request, "param", {})
        with ChatOpenRouter(**{**self.standard_chat_model_params, **self.chat_model_params, **options}) as model:
            yield model

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, **self.content}

    @property
    def supported_usage_metadata_details(self) -> Any:
        return {"invoke": DETAILS, "stream": DETAILS}

    def ask(self, content: Any, stream: bool, **options: Any) -> AIMessage:
        with ChatOpenRouter(**{**self.chat_model_params, **options}) as model:
            question = [("human", content)]
            return reduce(operator.add, model.stream(question)) if stream else model.invoke(question)

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        return self.ask([SOUND], stream)

    def invoke_with_audio_output(self, *, stream: bool = False) -> AIMessage:
        spoken: dict[str, Any] = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
        return self.ask("Hello", stream, model=SPEAKER, **spoken)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self.ask("Hello", stream, reasoning={"effort": "low"})

    def invoke_with_cache_creation_input(self, *, stream: bool = False) -> AIMessage:
        return self.ask([RULES, {"type": "text", "text": "Hello"}], stream, model=WRITER)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        self.invoke_with_cache_creation_input()
        return self.ask([RULES, {"type": "text", "text": "Bye"}], stream, model=WRITER)

    @pytest.mark.parametrize("stream", [False, True], ids=["invoke", "stream"])
    @pytest.mark.parametrize(
        ("detail", "side", "key"),
        [
            ("audio_input", "input", "audio"),
            ("audio_output", "output", "audio"),
            ("reasoning_output", "output", "reasoning"),
            ("cache_creation_input", "input", "cache_creation"),
            ("cache_read_input", "input", "cache_read"),
        ],
    )
    def test_the_details_of_usage_are_more_than_zero(self, detail: str, side: str, key: str, stream: bool) -> None:
        usage: Any = getattr(self, f"invoke_with_{detail}")(stream=stream).usage_metadata
        assert 0 < usage[f"{side}_token_details"][key] < usage[f"{side}_tokens"]


class TestIntegrationV1(TestIntegration):
    """The same with standard content blocks, and with schemas for structured output in place of tools."""

    content = V1

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "json_schema"}
