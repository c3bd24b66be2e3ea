"""What is asked for is sent, exactly; what is not asked for is not."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core.embeddings import EmbeddingOptions
from openrouter_adapters.core.options import (
    BODY_OPTIONS,
    HEADER_OPTIONS,
    OPTION_NAMES,
    OpenRouterOptions,
)
from openrouter_adapters.core.request import build_request, checked_call, merged, request_body

MESSAGES = [{"role": "user", "content": "hi"}]

# One value for every option that goes into the body.
BODY_VALUES: dict[str, Any] = {
    "model": "openai/gpt-4o-mini:free",
    "models": ["a/b", "c/d"],
    "provider": {"order": ["azure"], "zdr": True, "max_price": {"prompt": 1}},
    "preset": "mine",
    "plugins": [{"id": "web", "max_results": 3}],
    "service_tier": "flex",
    "reasoning": {"max_tokens": 2000, "exclude": True},
    "verbosity": "low",
    "temperature": 0,
    "top_p": 0.5,
    "top_k": 40,
    "min_p": 0.1,
    "top_a": 1,
    "max_tokens": 100,
    "max_completion_tokens": 99,
    "seed": 7,
    "stop": ["END"],
    "frequency_penalty": -1.5,
    "presence_penalty": 2,
    "repetition_penalty": 1.1,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 5,
    "prediction": {"type": "content", "content": "x"},
    "parallel_tool_calls": False,
    "modalities": ["image", "text"],
    "image_config": {"aspect_ratio": "16:9"},
    "audio": {"voice": "alloy", "format": "wav"},
    "web_search_options": {"search_context_size": "low"},
    "cache_control": {"type": "ephemeral", "ttl": "1h"},
    "prompt_cache_key": "k",
    "session_id": "s",
    "user": "u",
    "trace": {"trace_id": "t"},
    "request_metadata": {"tenant": "x"},
}


def options(**given: Any) -> OpenRouterOptions:
    return OpenRouterOptions(api_key="sk-test", **given)


def body(instance: dict[str, Any] | None = None, **call: Any) -> dict[str, Any]:
    made = build_request(options(**(instance or {})), call, MESSAGES).body
    return {key: value for key, value in made.items() if key != "messages"}


def test_the_table_covers_every_body_option() -> None:
    assert set(BODY_VALUES) == set(BODY_OPTIONS)


def test_nothing_is_sent_that_was_not_set() -> None:
    request = build_request(options(), {}, MESSAGES)
    assert request.body == {"messages": MESSAGES}
    assert request.headers == {}


@pytest.mark.parametrize("name", BODY_VALUES)
@pytest.mark.parametrize("where", ["instance", "call"])
def test_every_option_reaches_the_body_as_it_is(name: str, where: str) -> None:
    given = {name: BODY_VALUES[name]}
    sent = body(given) if where == "instance" else body(**given)
    assert sent == {BODY_OPTIONS[name]: BODY_VALUES[name]}
    assert type(sent[BODY_OPTIONS[name]]) is type(BODY_VALUES[name])


@pytest.mark.parametrize("name", BODY_VALUES)
def test_none_at_call_time_clears_every_option(name: str) -> None:
    assert body({name: BODY_VALUES[name]}, **{name: None}) == {}


def test_the_call_wins_and_objects_merge_deeply() -> None:
    instance = {
        "temperature": 0.1,
        "provider": {"order": ["a"], "zdr": True, "max_price": {"prompt": 1, "completion": 2}},
        "reasoning": {"effort": "low"},
        "models": ["x/y"],
        "logit_bias": {"1": 1},
    }
    sent = body(
        instance,
        temperature=0.9,
        provider={"order": ["b"], "zdr": None, "max_price": {"prompt": 3}},
        reasoning={"exclude": True},
        models=["z/w"],
        logit_bias={"2": 2},
    )
    assert sent == {
        "temperature": 0.9,
        "provider": {"order": ["b"], "max_price": {"prompt": 3, "completion": 2}},
        "reasoning": {"effort": "low", "exclude": True},
        "models": ["z/w"],
        "logit_bias": {"2": 2},
    }


def test_a_provider_whose_every_key_is_cleared_is_not_sent() -> None:
    assert body({"provider": {"zdr": True}}, provider={"zdr": None}) == {}
    assert body({"reasoning_effort": "high"}, reasoning_effort=None) == {}


def test_extra_body_merges_deeply_and_wins_within_its_layer() -> None:
    instance = {"provider": {"order": ["a"], "zdr": True}, "extra_body": {"provider": {"order": ["b"]}, "safe": 1}}
    assert body(instance) == {"provider": {"order": ["b"], "zdr": True}, "safe": 1}
    assert body(instance, extra_body={"safe": None}, provider={"order": ["c"]}) == {
        "provider": {"order": ["c"], "zdr": True}
    }


def test_reasoning_effort_is_short_for_reasoning_effort_in_the_object() -> None:
    assert body({"reasoning_effort": "minimal"}) == {"reasoning": {"effort": "minimal"}}
    assert body({"reasoning_effort": "low"}, reasoning_effort="high") == {"reasoning": {"effort": "high"}}
    same = {"reasoning_effort": "low", "reasoning": {"effort": "low", "exclude": True}}
    assert body(same) == {"reasoning": {"effort": "low", "exclude": True}}


@pytest.mark.parametrize("where", ["instance", "call"])
def test_two_different_efforts_are_an_error(where: str) -> None:
    both = {"reasoning_effort": "low", "reasoning": {"effort": "high"}}
    with pytest.raises(ValueError, match=r"reasoning_effort='low' and reasoning\['effort'\]='high'"):
        body(both) if where == "instance" else body(**both)


def test_a_name_that_nobody_knows_goes_into_the_body_at_call_time() -> None:
    assert body(tools=[{"type": "openrouter:datetime"}], brand_new={"x": 1}) == {
        "tools": [{"type": "openrouter:datetime"}],
        "brand_new": {"x": 1},
    }


def test_headers_say_who_asks_and_the_users_own_win_whatever_their_case() -> None:
    request = build_request(
        options(
            app_url="https://a.example",
            app_title="A",
            app_categories=["cli-agent", "legal"],
            router_metadata=True,
            default_headers={"x-openrouter-title": "mine", "X-One": "1"},
        ),
        {"extra_headers": {"x-one": "2", "HTTP-REFERER": None}},
        MESSAGES,
    )
    assert request.headers == {
        "x-openrouter-title": "mine",
        "X-OpenRouter-Categories": "cli-agent,legal",
        "X-OpenRouter-Metadata": "enabled",
        "x-one": "2",
    }
    assert set(HEADER_OPTIONS) < set(OPTION_NAMES)


def test_transport_options_can_be_given_per_call() -> None:
    call = {"timeout": 3, "stall_timeout": 1.5, "max_retries": 0, "base_url": "http://x/v1/", "api_key": "sk-other"}
    request = build_request(options(timeout=9, base_url="http://y"), call, MESSAGES)
    assert (request.timeout, request.stall_timeout, request.max_retries) == (3, 1.5, 0)
    assert request.base_url == "http://x/v1"
    assert request.api_key.get_secret_value() == "sk-other"
    assert set(request.body) == {"messages"}


def test_the_environment_fills_in_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-env")
    monkeypatch.setenv("OPENROUTER_API_BASE", "http://env/v1")
    monkeypatch.setenv("OPENROUTER_SESSION_ID", "env-session")
    monkeypatch.setenv("OPENROUTER_APP_TITLE", "env-title")
    made = OpenRouterOptions(app_title="given")
    assert made.api_key is not None and made.api_key.get_secret_value() == "sk-env"
    assert (made.base_url, made.session_id, made.app_title) == ("http://env/v1", "env-session", "given")
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://first/v1")
    assert OpenRouterOptions().base_url == "http://first/v1"


def test_what_came_from_the_environment_is_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"base_url": "BASE_URL", "app_url": "APP_URL", "app_title": "APP_TITLE", "session_id": "SESSION_ID"}
    values = {name: f"https://{name}.example" for name in variables}
    for name, variable in variables.items():
        monkeypatch.setenv(f"OPENROUTER_{variable}", values[name])
    made = OpenRouterOptions(api_key="k")
    assert made.of_environment() == {*variables}
    assert {name: getattr(made, name) for name in variables} == values
    assert {name: made.model_dump()[name] for name in variables} == dict.fromkeys(variables)
    assert {name: OpenRouterOptions(api_key="k", **values).model_dump()[name] for name in variables} == values
    made.session_id = "mine"
    assert made.model_dump()["session_id"] == made.model_copy().model_dump()["session_id"] == "mine"


def test_no_password_of_an_address_is_written_down() -> None:
    made = OpenRouterOptions(api_key="k", base_url="https://me:secret@example.com/v1/@x")
    assert made.model_dump()["base_url"] == "https://example.com/v1/@x"


def test_the_scheme_of_an_address_may_be_in_capitals() -> None:
    assert OpenRouterOptions(api_key="k", base_url="HTTPS://x/v1").base_url == "HTTPS://x/v1"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"api_key": None}, ValueError, "api_key is missing: .*OPENROUTER_API_KEY"),
        ({"api_key": " "}, ValueError, "api_key is empty"),
        ({"api_key": 12345}, TypeError, "api_key must be a str or a SecretStr, not int"),
        ({"temprature": 1}, TypeError, "'temprature': did you mean 'temperature'"),
        ({"api_key": "sk-se\ncret"}, ValueError, "api_key has a character that no key has"),
        ({"api_key": "sk-secret…"}, ValueError, "api_key has a character that no key has"),
        ({"base_url": "localhost:8080/v1"}, ValueError, "base_url='localhost:8080/v1' must begin with https:// or"),
        ({"timeout": 0}, ValueError, "timeout=0 .*greater than 0"),
        ({"stall_timeout": -1}, ValueError, "stall_timeout=-1 .*greater than 0"),
        ({"zzzzqqqq": 1}, TypeError, r"'zzzzqqqq': for a new wire field use extra_body"),
        ({"route": "fallback"}, TypeError, "'route': `models` are asked in order without it"),
        ({"temperature": "hot"}, ValueError, "temperature='hot' must be a whole number or a number$"),
        ({"temperature": math.nan}, ValueError, "temperature=nan must be .* a finite number$"),
        ({"top_p": math.inf}, ValueError, "top_p=inf must be .* a finite number$"),
        ({"timeout": math.inf}, ValueError, "timeout=inf must be .* a finite number$"),
        ({"logit_bias": {"1": -math.inf}}, ValueError, "logit_bias=.* a finite number$"),
        ({"max_tokens": 1.5}, ValueError, "max_tokens=1.5 must be a whole number$"),
        ({"max_retries": -1}, ValueError, "max_retries=-1 .*greater than or equal to 0"),
        ({"models": "a/b"}, ValueError, r"models='a/b' must be a list, such as \["),
        ({"provider": ["a"]}, ValueError, r"provider=\['a'\] must be an object, such as \{"),
        ({"top_p": "x", "seed": "y"}, ValueError, "top_p='x' .*; seed='y' must be a whole number"),
    ],
)
def test_bad_arguments_are_refused_by_name(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        OpenRouterOptions(**{"api_key": "sk-secret", **given})
    assert "sk-secret" not in str(caught.value)


def test_bad_values_at_call_time_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"temperature='hot' must be"):
        body(temperature="hot")
    for number in (math.nan, math.inf):
        with pytest.raises(ValueError, match=f"temperature={number} must be .* a finite number"):
            body(temperature=number)
    with pytest.raises(ValueError, match="this call: default_headers must be an object") as caught:
        body(default_headers=["secret"])
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="messages is empty"):
        build_request(options(), {}, [])


def test_white_space_around_key_and_address_is_no_part_of_them() -> None:
    made = OpenRouterOptions(api_key=" sk-test\n", base_url=" http://127.0.0.1:1/v1/ ")
    assert made.api_key is not None and made.api_key.get_secret_value() == "sk-test"
    assert made.base_url == "http://127.0.0.1:1/v1"


def test_an_address_given_per_call_is_checked_too() -> None:
    with pytest.raises(ValueError, match=r"base_url='proxy\.internal' must begin with"):
        body(base_url="proxy.internal")


@pytest.mark.parametrize("value", ["Café", "a\nb"])
def test_a_header_that_http_cannot_carry_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ValueError, match="header X-OpenRouter-Title: HTTP carries printable ASCII only") as caught:
        body({"app_title": value})
    assert value not in str(caught.value)


def test_none_clears_headers_and_extra_body_too() -> None:
    instance = {"extra_body": {"foo": 1}, "default_headers": {"X-One": "1", "x-two": "2"}, "app_title": "A"}
    assert body(instance, extra_body=None) == {}

    def headers(**call: Any) -> dict[str, str]:
        return build_request(options(**instance), call, MESSAGES).headers

    assert headers(default_headers=None) == {"X-OpenRouter-Title": "A"}
    assert headers(default_headers={"X-Two": None, "x-openrouter-title": None}) == {"X-One": "1"}


def test_an_effort_can_take_the_place_of_a_budget() -> None:
    sent = body({"reasoning": {"max_tokens": 10}}, reasoning=None, reasoning_effort="low")
    assert sent == {"reasoning": {"effort": "low"}}


def test_whether_it_streams_is_not_an_option() -> None:
    assert body({"extra_body": {"stream": True}}, stream=True) == {}


def test_token_ids_may_be_numbers() -> None:
    assert body({"logit_bias": {50256: -100}}) == {"logit_bias": {50256: -100}}


def test_a_key_that_the_environment_has_too_is_not_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-env")
    assert not OpenRouterOptions(api_key="sk-env")._key_given
    assert OpenRouterOptions(api_key="sk-own")._key_given


def test_arguments_go_by_name() -> None:
    with pytest.raises(TypeError, match="takes arguments by name: write model='a/b'"):
        OpenRouterOptions("a/b")


def test_a_time_limit_in_milliseconds_is_noticed() -> None:
    with pytest.warns(UserWarning, match=r"timeout=60000 is in seconds, 16\.7 hours: did you mean 60\?"):
        assert options(timeout=60_000).timeout == 60_000


def test_an_unknown_key_in_provider_is_sent_with_one_warning() -> None:
    with pytest.warns(UserWarning, match=r"'ordr' \(did you mean 'order'\?\)") as caught:
        made = options(provider={"ordr": ["a"]})
    assert len(caught) == 1
    assert build_request(made, {}, MESSAGES).body["provider"] == {"ordr": ["a"]}
    with pytest.warns(UserWarning, match="unknown key 'brand_new_thing'"):
        assert body(provider={"brand_new_thing": 1}) == {"provider": {"brand_new_thing": 1}}


def test_the_key_is_in_no_repr_or_dump() -> None:
    made = options(default_headers={"X-Secret": "header-secret"}, model="a/b")
    shown = f"{made!r} {made} {made.model_dump()} {made.model_dump_json()} {build_request(made, {}, MESSAGES)!r}"
    assert "sk-test" not in shown
    assert "header-secret" not in f"{made!r} {made.model_dump()}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


@given(base=OBJECTS, over=OBJECTS)
def test_merging_never_mutates_and_is_idempotent(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((base, over))
    made = merged(base, over)
    assert (base, over) == before
    assert merged(made, over) == made


@given(layers=st.lists(st.fixed_dictionaries({}, optional={"provider": OBJECTS, "extra_body": OBJECTS}), max_size=2))
def test_building_a_body_never_mutates_what_the_caller_gave(layers: list[dict[str, Any]]) -> None:
    instance, call = [*layers, {}, {}][:2]
    before = copy.deepcopy((instance, call))
    request_body(instance, call)
    assert (instance, call) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"zdr": True}, r"unknown argument 'zdr': use provider=\{'zdr': ...\}"),
        ({"max_price": {}}, r"use provider=\{'max_price': ...\}"),
        ({"effort": "low"}, r"use reasoning=\{'effort': ...\}"),
        ({"usage": {"include": True}}, "usage and cost always come, leave it out"),
        ({"site_url": "https://a.example"}, "use app_url"),
        ({"http_headers": {}}, "use default_headers, or extra_headers in a call"),
    ],
)
def test_an_argument_in_the_wrong_place_is_sent_to_the_right_one(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        OpenRouterOptions(api_key="k", **given)


def test_a_key_of_provider_beside_provider_is_warned_of() -> None:
    options = OpenRouterOptions(api_key="k", model="a/b")
    with pytest.warns(UserWarning, match=r"'zdr' is no option of a call .* use provider=\{'zdr': ...\}"):
        request = build_request(options, {"zdr": True}, MESSAGES)
    assert request.body["zdr"] is True
    build_request(options, {"n": 2, "brand_new": 1}, MESSAGES)


def test_none_is_not_set_whatever_the_default() -> None:
    assert OpenRouterOptions(api_key="k", max_retries=None).max_retries == 2


def test_a_session_id_has_an_end() -> None:
    assert OpenRouterOptions(api_key="k", session_id="s" * 256).session_id
    options = OpenRouterOptions(api_key="k")
    with pytest.raises(ValueError, match=r"session_id=.* at most 256 characters"):
        OpenRouterOptions(api_key="k", session_id="s" * 257)
    with pytest.raises(ValueError, match=r"session_id=.* at most 256 characters"):
        build_request(options, {"session_id": "s" * 257}, MESSAGES)


def test_a_remedy_names_no_option_that_is_not_there() -> None:
    with pytest.raises(TypeError) as caught:
        EmbeddingOptions(api_key="k", max_tokens=3)
    assert "reasoning" not in str(caught.value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked_call({"mode": "x", "max_tokens": 3}, EmbeddingOptions)
