"""What cannot be right is refused before anything is sent, by name, and without showing what may be a secret."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from openrouter_adapters.core.arguments import split_user, without_user
from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.request import Request, build_request

MESSAGES = [{"role": "user", "content": "hi"}]


def options(**given: Any) -> OpenRouterOptions:
    return OpenRouterOptions(**{"api_key": "k", **given})


def asked(**call: Any) -> Request:
    return build_request(options(), call, MESSAGES)


# ------------------------------------------------------------------------------------------------ secrets, addresses


@pytest.mark.parametrize("given", [{"default_headers": {"X": ["very-secret"]}}, {"base_url": ["very-secret"]}])
def test_a_refused_value_is_not_in_the_context_of_its_error(given: dict[str, Any]) -> None:
    """What trackers of errors read: the whole chain, not only what is printed."""
    with pytest.raises(ValueError) as at_construction:
        options(**given)
    with pytest.raises(ValueError) as at_call:
        asked(**given)
    for caught in (at_construction.value, at_call.value):
        assert caught.__context__ is caught.__cause__ is None
        assert "very-secret" not in f"{caught!r}" and next(iter(given)) in str(caught)


def test_pydantics_own_errors_show_no_input() -> None:
    with pytest.raises(ValueError) as caught:
        OpenRouterOptions.__pydantic_validator__.validate_assignment(options(), "default_headers", ["very-secret"])
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "bare", "basic"),
    [
        ("https://example.com/v1", "https://example.com/v1", ""),
        ("https://me:pw@example.com:8080/v1/@x", "https://example.com:8080/v1/@x", "me:pw"),
        ("http://me@example.com", "http://example.com", "me:"),
        ("http://:pw@example.com", "http://example.com", ":pw"),
        ("http://:@example.com", "http://example.com", ""),
        ("http://m%40e:p%3A%2Fw%C3%A9@[::1]:80/v1", "http://[::1]:80/v1", "m@e:p:/wé"),
        ("http://me:p@w:2@example.com", "http://example.com", "me:p@w:2"),
        ("http://me:p[w@example.com", "http://example.com", "me:p[w"),
    ],
)
def test_user_and_password_are_taken_off_the_address(address: str, bare: str, basic: str) -> None:
    request = build_request(options(base_url=address), {}, MESSAGES)
    ready = f"Basic {base64.b64encode(basic.encode()).decode()}" if basic else ""
    assert (request.base_url, request.basic.get_secret_value()) == (bare, ready)
    assert (without_user(address), split_user(address)[0]) == (bare, bare)
    assert asked(base_url=address) == request
    assert "basic" not in repr(request)


@pytest.mark.parametrize(
    "address", ["http://me:p%40w%C3%A9@127.0.0.1:9/v1", "http://me@127.0.0.1:9", "http://a:b:c@127.0.0.1:9"]
)
def test_basic_is_what_the_http_client_makes_of_the_address(address: str) -> None:
    with openai.DefaultHttpxClient() as http:
        authed = http._build_request_auth(http.build_request("GET", address))
        [signed] = [next(authed.auth_flow(http.build_request("GET", address)))]
    assert split_user(address)[1].get_secret_value() == signed.headers["Authorization"]


@pytest.mark.parametrize(
    "address",
    [
        "ftp://me:very-secret@example.com",
        "me:very-secret@example.com/v1",
        "http://me:very-secret@example.com:x/v1",
        "http://me:very/secret@example.com/v1",
        "http://me:1#very-secret@example.com/v1",
        "http://me:very-secret@/v1",
        "http://me:very-secret@[::bad/v1",
        "http://me:very-secret@exa\nmple.com",
        "http://example.com:x/",
        "http://example.com:99999",
        "http://999.1.1.1/v1",
        "http://",
        "http://a..b/v1",
        "https://example.com/v1?key=very-secret",
        "https://example.com/v1#very-secret",
        "https://example.com/v1?key=a@very-secret",
        "http://me:very/#secret@example.com/v1",
        "https://me:very-secret@example.com/v1?key=very-secret",
        "?key=very-secret",
    ],
)
def test_a_wrong_address_is_refused_at_once_without_its_password(address: str) -> None:
    with pytest.raises(ValueError, match=r"^base_url=") as at_construction:
        options(base_url=address)
    with pytest.raises(ValueError, match=r"^base_url=") as at_call:
        asked(base_url=address)
    for caught in (at_construction.value, at_call.value):
        assert type(caught) is ValueError and caught.__context__ is None
        assert "very" not in str(caught) and "secret" not in str(caught)


@pytest.mark.parametrize(
    ("address", "shown", "remedy"),
    [
        ("https://gw.example/v1?key=a&b=c#d", "https://gw.example/v1?...", "has a ?, .* write %3F in a password"),
        ("https://me:pw@gw.example/v1#a?b", "https://gw.example/v1#...", "has a #, .* write %23 in a password"),
        ("https://me:p?w@gw.example/v1", "?...", "has a ?,"),
    ],
)
def test_of_an_address_with_a_query_only_what_is_before_it_is_shown(address: str, shown: str, remedy: str) -> None:
    said = f"^{re.escape(f'base_url={shown!r} ')}{remedy.replace('?', '[?]')}"
    with pytest.raises(ValueError, match=said):
        options(base_url=address)
    assert without_user(address) == shown


# ---------------------------------------------------------------------------------------------------------- headers


@pytest.mark.parametrize(("name", "meant"), [("openai_api_key", "api_key"), ("http_headers", "extra_headers")])
def test_secrets_under_names_that_are_no_options_are_not_sent(name: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"^'{name}' is no option of a call, .*: use {meant}") as caught:
        asked(**{name: {"X-Own": "very-secret"}})
    assert "very-secret" not in str(caught.value)
    assert options().own_names({"http_headers": {"X-Own": "a"}}) == {"extra_headers": {"X-Own": "a"}}


@pytest.mark.parametrize("name", ["A b", "", "a:b", "A\n", "Ä", "X: very-secret", 7])
@pytest.mark.parametrize("option", ["default_headers", "extra_headers"])
def test_a_header_whose_name_http_does_not_allow_is_refused(name: Any, option: str) -> None:
    with pytest.raises(ValueError) as caught:
        asked(**{option: {name: "header-secret"}})
    assert "secret" not in f"{caught.value!r} {caught.value.__context__!r}" and "header" in str(caught.value)
    assert asked(**{option: {"X-_.!#$%&'*+^`|~09": "1"}}).headers


@pytest.mark.parametrize("given", ["header-secret", ["header-secret"], 7])
def test_extra_headers_that_are_no_object_are_refused_by_name(given: Any) -> None:
    with pytest.raises(
        ValueError, match=r"extra_headers must be an object, such as .*, not a (str|list|int)$"
    ) as caught:
        asked(extra_headers=given)
    assert "secret" not in f"{caught.value!r} {caught.value.__context__!r}"


# -------------------------------------------------------------------------------------------- clients of the caller's


@pytest.fixture
def clients() -> Iterator[dict[str, Any]]:
    """One client of each colour."""
    both = {"http_client": openai.DefaultHttpxClient(), "http_async_client": openai.DefaultAsyncHttpxClient()}
    yield both
    both["http_client"].close()
    asyncio.run(both["http_async_client"].aclose())


NO_CLIENTS = ["very-secret", object(), 7, openai.DefaultHttpxClient, openai.DefaultAsyncHttpxClient]


@pytest.mark.parametrize("given", NO_CLIENTS, ids=["text", "object", "number", "class", "async class"])
@pytest.mark.parametrize("name", ["http_client", "http_async_client"])
def test_what_is_no_http_client_is_refused_by_name(name: str, given: Any) -> None:
    said = rf"^{name} must be an httpx\.\w+ or httpx2\.\w+.*, not a {type(given).__name__}$"
    for ask in (lambda: options(**{name: given}), lambda: asked(**{name: given})):
        with pytest.raises(TypeError, match=said) as caught:
            ask()
        assert "very-secret" not in str(caught.value)


def test_a_client_of_the_other_colour_is_refused_by_name(clients: dict[str, Any]) -> None:
    names = {"http_client": "a sync", "http_async_client": "an async"}
    for (name, kind), other in zip(names.items(), reversed(names), strict=True):
        given = {name: clients[other]}
        for ask in (lambda given=given: options(**given), lambda given=given: asked(**given)):
            with pytest.raises(TypeError, match=f"^{name} must be {kind} client: give this .*HttpxClient as {other}$"):
                ask()


def test_clients_of_the_right_colour_are_taken(clients: dict[str, Any]) -> None:
    request = build_request(options(**clients), {"http_async_client": "aiohttp"}, MESSAGES)
    assert (request.http_client, request.http_async_client) == (clients["http_client"], "aiohttp")
    assert options(http_async_client="aiohttp").http_async_client == "aiohttp"
