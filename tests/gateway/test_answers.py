"""What the gateway says by itself, and what it says when it is told what to say."""

import base64
import json
import struct
import time
from math import hypot
from typing import Any

import pytest

from openrouter_adapters.gateway import LocalGateway, Reply

from .conftest import Client


def tool(name: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": [*properties]}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def schema(**properties: Any) -> dict[str, Any]:
    object_ = {"type": "object", "properties": properties, "required": [*properties]}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": object_}}


WEATHER = tool("get_weather", city={"type": "string"})
MULTIPLY = tool("multiply", a={"type": "integer"}, b={"type": "integer"})


def test_it_echoes(client: Client) -> None:
    assert client.message("Good morning")["content"] == "You said: Good morning"


def test_it_echoes_the_text_of_parts(client: Client) -> None:
    parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    answer = client.post("/chat/completions", {"messages": [{"role": "user", "content": parts}]})
    assert answer.body["choices"][0]["message"]["content"] == "You said: Look"


@pytest.mark.parametrize("text", ["Hello, wörld!  Two  spaces", "日本語 🎉 \u2028 ok", "a\nb\n"])
def test_a_stream_adds_up_to_the_unstreamed_answer(text: str, client: Client) -> None:
    chunks = client.chat(text, stream=True).chunks
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == client.message(text)["content"]


def test_a_tool_that_the_user_names_is_called(client: Client) -> None:
    choice = client.chat("Please multiply 6 by 7", tools=[WEATHER, MULTIPLY]).body["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("multiply", {"a": 6, "b": 7})
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("auto", []),
        ("none", []),
        ("required", ["get_weather"]),
        ({"type": "function", "function": {"name": "multiply"}}, ["multiply"]),
    ],
)
def test_tool_choice(choice: Any, names: list[str], client: Client) -> None:
    message = client.message("Hello", tools=[WEATHER, MULTIPLY], tool_choice=choice)
    assert [call["function"]["name"] for call in message.get("tool_calls", ())] == names


def test_tools_in_parallel_or_one_by_one(client: Client) -> None:
    asked = "What is the weather in Paris, and multiply 2 by 3?"
    both = client.message(asked, tools=[WEATHER, MULTIPLY])["tool_calls"]
    assert [json.loads(call["function"]["arguments"]) for call in both] == [{"city": "Paris"}, {"a": 2, "b": 3}]
    assert len({call["id"] for call in both}) == 2
    assert len(client.message(asked, tools=[WEATHER, MULTIPLY], parallel_tool_calls=False)["tool_calls"]) == 1


def test_tool_calls_stream_in_pieces(client: Client) -> None:
    chunks = client.chat("Multiply 6 by 7", tools=[MULTIPLY], stream=True).chunks
    pieces = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert pieces[0]["function"] == {"name": "multiply", "arguments": ""}
    assert all(piece.keys() == {"index", "function"} for piece in pieces[1:])
    assert json.loads("".join(piece["function"]["arguments"] for piece in pieces)) == {"a": 6, "b": 7}


def test_a_tool_result_is_used(client: Client) -> None:
    called = client.message("Multiply 6 by 7", tools=[MULTIPLY])
    history = [
        {"role": "user", "content": "Multiply 6 by 7"},
        called,
        {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "42"},
    ]
    answer = client.post("/chat/completions", {"messages": history, "tools": [MULTIPLY]}).body
    assert answer["choices"][0]["message"]["content"] == "multiply says: 42"


def test_a_schema_is_filled(client: Client) -> None:
    format_ = schema(
        city={"type": "string"},
        mood={"enum": ["sad", "glad"]},
        counts={"type": "array", "items": {"type": "integer", "minimum": 3}, "minItems": 2},
        nested={"anyOf": [{"$ref": "#/$defs/point"}, {"type": "null"}]},
    )
    format_["json_schema"]["schema"]["$defs"] = {"point": {"type": "object", "properties": {}, "required": []}}
    value = json.loads(client.message("I am glad to be in Rome, twice", response_format=format_)["content"])
    assert value == {"city": "Rome", "mood": "glad", "counts": [3, 3], "nested": {}}


def test_a_schema_without_an_end_is_cut_off(client: Client) -> None:
    format_ = schema(next={"anyOf": [{"$ref": "#"}, {"type": "null"}]})
    assert json.loads(client.message(response_format=format_)["content"])["next"]


def test_json_mode(client: Client) -> None:
    content = client.message("Hi", response_format={"type": "json_object"})["content"]
    assert json.loads(content) == {"answer": "You said: Hi"}


def test_json_mode_has_the_keys_that_were_asked_for(client: Client) -> None:
    wanted = "A joke as JSON with 'setup' and \"punchline\" keys"
    made = json.loads(client.message(wanted, response_format={"type": "json_object"})["content"])
    assert [*made] == ["setup", "punchline"] and all("joke" in value for value in made.values())


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_the_output_limit_is_kept(limit: str, client: Client) -> None:
    body = client.chat("one two three four five", model="anthropic/claude-haiku-4.5", **{limit: 4}).body
    choice = body["choices"][0]
    assert choice["message"]["content"] == "You said: one"
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "max_tokens")
    assert body["usage"]["completion_tokens"] == 4


def test_the_output_limit_cuts_tool_arguments(client: Client) -> None:
    choice = client.chat("Multiply 6 by 7", tools=[MULTIPLY], max_tokens=3).body["choices"][0]
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize("stop", [" three", ["never", " three"]])
def test_stop(stop: Any, client: Client) -> None:
    choice = client.chat("one two three four", stop=stop).body["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("You said: one two", "stop")


@pytest.mark.parametrize(
    ("asked", "thinks"),
    [
        ({"reasoning": {"effort": "high"}}, True),
        ({"reasoning": {"enabled": True}}, True),
        ({"reasoning_effort": "low"}, True),
        ({"include_reasoning": True}, True),
        ({"reasoning": {"effort": "none"}}, False),
        ({"reasoning": {"exclude": True}}, False),
        ({}, False),
    ],
)
def test_reasoning_comes_when_asked_for(asked: dict[str, Any], thinks: bool, client: Client) -> None:
    message = client.message(model="anthropic/claude-haiku-4.5", **asked)
    assert (message["reasoning"] is not None, "reasoning_details" in message) == (thinks, thinks)
    assert client.message(model="openai/gpt-4o-mini", **asked)["reasoning"] is None, "this model cannot"


def test_hidden_reasoning_is_billed(client: Client) -> None:
    usage = client.chat(model="anthropic/claude-haiku-4.5", reasoning={"exclude": True}).body["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] > 0
    usage = client.chat(model="openai/gpt-4o-mini", reasoning={"exclude": True}).body["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0, "this model cannot"


@pytest.mark.parametrize(
    ("model", "types"),
    [
        ("anthropic/claude-haiku-4.5", ["reasoning.text"]),
        ("openai/gpt-5.2", ["reasoning.summary", "reasoning.encrypted"]),
        ("google/gemini-2.5-flash", ["reasoning.text", "reasoning.encrypted"]),
        ("deepseek/deepseek-v3.2", ["reasoning.text"]),
    ],
)
def test_each_family_thinks_in_its_own_way(model: str, types: list[str], client: Client) -> None:
    message = client.message(model=model, reasoning={})
    assert [item["type"] for item in message["reasoning_details"]] == types
    assert message["reasoning_details"][0].get("text", message["reasoning_details"][0].get("summary"))


def test_replies_come_in_order_then_it_echoes(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("one")
    gateway.reply("two", times=2)
    assert [client.message("x")["content"] for _ in range(4)] == ["one", "two", "two", "You said: x"]


def test_replies_that_match(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("It rains.", match="weather", times=None)
    gateway.reply("A mini says so.", match=lambda body: body["model"].endswith("mini"))
    assert client.message("Hello", model="openai/gpt-4o")["content"] == "You said: Hello"
    assert client.message("Hello", model="openai/gpt-4o-mini")["content"] == "A mini says so."
    assert [client.message("the weather?", model="openai/gpt-4o")["content"] for _ in range(2)] == ["It rains."] * 2


def test_a_reply_says_everything_as_given(gateway: LocalGateway, client: Client) -> None:
    details = [{"type": "reasoning.unheard_of", "blob": 1}]
    gateway.reply(
        "Hi",
        reasoning="Hm.",
        reasoning_details=details,
        tool_calls=[{"name": "f", "arguments": '{"cut'}, {"id": "x", "function": {"name": "g"}}],
        images=["https://example.com/a.png"],
        annotations=[{"type": "file", "file": {"hash": "h"}}],
        refusal="No",
        finish_reason="weird",
        native_finish_reason="WEIRD",
        model="a/b",
        provider="Nobody",
        service_tier="flex",
        usage={"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 900}},
        cost=0.5,
    )
    body = client.chat().body
    choice = body["choices"][0]
    message = choice["message"]
    assert (body["model"], body["provider"], body["service_tier"]) == ("a/b", "Nobody", "flex")
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("weird", "WEIRD")
    assert message["reasoning_details"] == details
    assert [call["function"] for call in message["tool_calls"]] == [{"name": "f", "arguments": '{"cut'}, {"name": "g"}]
    assert message["tool_calls"][1]["id"] == "x"
    assert message["images"] == [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}, "index": 0}]
    assert (message["refusal"], body["usage"]["cost"]) == ("No", 0.5)
    assert body["usage"]["prompt_tokens_details"]["cached_tokens"] == 900
    assert body["usage"]["total_tokens"] == 1000 + body["usage"]["completion_tokens"]


def test_chunks_as_given(gateway: LocalGateway, client: Client) -> None:
    gateway.reply(chunks=["He", {"content": "llo", "annotations": []}, {"content": None}])
    deltas = [chunk["choices"][0]["delta"] for chunk in client.chat(stream=True).chunks]
    assert [delta["content"] for delta in deltas] == ["He", "llo", None, "", ""]
    assert deltas[1]["annotations"] == []
    gateway.reply(chunks=["He", {"content": "llo"}])
    assert client.message()["content"] == "Hello"


def test_chunk_size(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("one two three four five", chunk_size=2)
    deltas = [chunk["choices"][0]["delta"]["content"] for chunk in client.chat(stream=True).chunks]
    assert deltas == ["one two", " three four", " five", "", ""]


def test_things_left_out(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("Hi", omit=["usage.cost", "provider", "choices.0.message.refusal", "no.such.thing"])
    body = client.chat().body
    assert "cost" not in body["usage"]
    assert "provider" not in body
    assert "refusal" not in body["choices"][0]["message"]
    gateway.reply("Hi", omit=["usage"])
    assert all("usage" not in chunk for chunk in client.chat(stream=True).chunks)


def test_raw_answers(gateway: LocalGateway, client: Client) -> None:
    gateway.reply(body={"nothing": "usual"}, status=418, headers={"retry-after": "3"})
    answer = client.chat()
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (418, {"nothing": "usual"}, "3")
    gateway.reply(events=[": hello", {"id": 1}, "data: [DONE]"])
    assert client.chat(stream=True).events == [": hello", 'data: {"id":1}', "data: [DONE]"]


def test_an_answer_of_ones_own() -> None:
    def respond(body: dict[str, Any]) -> Reply:
        return Reply(f"{len(body['messages'])} messages")

    with LocalGateway(respond=respond) as gateway, Client(gateway) as client:
        assert client.message()["content"] == "1 messages"


def test_money(client: Client) -> None:
    usage = client.chat(model="openai/gpt-4o-mini").body["usage"]
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    assert usage["cost"] == pytest.approx((prompt * 0.15 + completion * 0.6) / 1e6, abs=1e-15)
    assert usage["cost_details"]["upstream_inference_prompt_cost"] == pytest.approx(prompt * 0.15 / 1e6, abs=1e-15)
    free = client.chat(model="minimax/minimax-m2:free").body["usage"]
    assert (free["cost"], type(free["cost"])) == (0, int)


def test_what_was_spent_can_be_looked_up(client: Client) -> None:
    first, second = client.chat().body, client.chat(stream=True).chunks[-1]
    record = client.get(f"/generation?id={second['id']}").body["data"]
    assert (record["total_cost"], record["streamed"]) == (second["usage"]["cost"], True)
    spent = first["usage"]["cost"] + second["usage"]["cost"]
    assert client.get("/key").body["data"]["usage"] == pytest.approx(spent)
    assert client.get("/credits").body["data"]["total_usage"] == pytest.approx(spent)
    assert client.get("/generation?id=gen-nothing").status == 404


def test_models(client: Client) -> None:
    listed = {item["id"]: item for item in client.get("/models", key="").body["data"]}
    haiku = listed["anthropic/claude-haiku-4.5"]
    assert (haiku["canonical_slug"], haiku["pricing"]["prompt"]) == ("anthropic/claude-4.5-haiku-20251001", "0.000001")
    assert "openai/text-embedding-3-small" not in listed
    assert len(client.get("/models?output_modalities=all").body["data"]) > len(listed)
    assert client.get("/model/anthropic/claude-haiku-4.5").body["data"] == haiku
    assert client.get("/model/nobody/nothing").status == 404


def test_the_endpoints_of_a_model(gateway: LocalGateway, client: Client) -> None:
    gateway.down("anthropic")
    items = client.get("/models/anthropic/claude-haiku-4.5/endpoints").body["data"]["endpoints"]
    assert [(item["tag"], item["status"]) for item in items] == [
        ("anthropic", -1),
        ("amazon-bedrock", 0),
        ("google-vertex", 0),
    ]


def embed(client: Client, **body: Any) -> Any:
    return client.post("/embeddings", {"model": "openai/text-embedding-3-small", **body}).body["data"]


def test_embeddings(client: Client) -> None:
    rain, storm, tax = (item["embedding"] for item in embed(client, input=["heavy rain", "heavy storm", "tax law"]))
    assert hypot(*rain) == pytest.approx(1)
    assert sum(map(float.__mul__, rain, storm)) > sum(map(float.__mul__, rain, tax))
    assert embed(client, input="heavy rain")[0]["embedding"] == rain
    packed = embed(client, input="heavy rain", encoding_format="base64")[0]["embedding"]
    assert struct.unpack("<256f", base64.b64decode(packed)) == pytest.approx(rain, abs=1e-6)
    assert len(embed(client, input=[[1, 2], [3]], dimensions=8)[0]["embedding"]) == 8
    assert hypot(*embed(client, input=" ")[0]["embedding"]) == 1


def test_rerank(client: Client) -> None:
    documents = ["Lima is in Peru.", {"text": "Paris is in France."}, "Athens"]
    body = {"model": "cohere/rerank-v3.5", "query": "What is in France?", "documents": documents, "top_n": 2}
    results = client.post("/rerank", body).body["results"]
    assert [result["index"] for result in results] == [1, 0]
    assert results[0]["document"] == {"text": "Paris is in France."}
    assert 1 >= results[0]["relevance_score"] > results[1]["relevance_score"] >= 0


def test_a_model_at_the_wrong_endpoint(client: Client) -> None:
    body = {"model": "openai/gpt-4o-mini", "input": "Hello"}
    assert client.post("/embeddings", body).body["error"]["availability"]["code"] == "wrong_endpoint"
    assert client.chat(model="openai/text-embedding-3-small").status == 400


def test_a_search_leaves_a_citation(client: Client) -> None:
    body = client.chat(tools=[{"type": "openrouter:web_search"}]).body
    assert body["choices"][0]["message"]["annotations"][0]["type"] == "url_citation"
    assert body["usage"]["server_tool_use_details"] == {"web_search_requests": 1}


def test_embeddings_of_parts(client: Client) -> None:
    part = {"type": "text", "text": "heavy rain"}
    images = [{"content": [{"type": "image_url", "image_url": {"url": url}}]} for url in ("https://a", "https://b")]
    body = {"model": "openai/text-embedding-3-small", "input": [{"content": [part]}, *images]}
    answer = client.post("/embeddings", body).body
    text, *pictures = (item["embedding"] for item in answer["data"])
    assert text == embed(client, input="heavy rain")[0]["embedding"]
    assert pictures[0] != pictures[1]
    details = answer["usage"]["prompt_tokens_details"]
    assert (details["text_tokens"], details["image_tokens"], details["audio_tokens"]) == (2, 170, 0)
    assert answer["usage"]["prompt_tokens"] == 172
    assert "prompt_tokens_details" not in client.post("/embeddings", {**body, "input": ["heavy rain"]}).body["usage"]
    assert len(embed(client, input=[1, 2, 3])) == 1


def test_vectors_and_ranks_can_be_scripted_by_path(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("for the chat")
    gateway.reply(path="/embeddings", cost=0.5, provider="Mine", model="other", usage={"x": 1}, omit=["data.0.index"])
    body = {"model": "openai/text-embedding-3-small", "input": ["a", "b"]}
    made = client.post("/embeddings", body).body
    assert (made["usage"]["cost"], made["usage"]["x"], made["provider"], made["model"]) == (0.5, 1, "Mine", "other")
    assert ["index" in item for item in made["data"]] == [False, True]
    assert client.get(f"/generation?id={made['id']}").body["data"]["total_cost"] == 0.5
    gateway.reply(path="/rerank", body={"results": "none"}, status=202)
    answer = client.post("/rerank", {"model": "cohere/rerank-v3.5", "query": "a", "documents": ["b"]})
    assert (answer.status, answer.body) == (202, {"results": "none"})
    assert client.message()["content"] == "for the chat"


def test_slow_providers_are_slow_everywhere(gateway: LocalGateway, client: Client) -> None:
    gateway.slow("cohere", 0.2)
    begun = time.monotonic()
    client.post("/rerank", {"model": "cohere/rerank-v3.5", "query": "a", "documents": ["b"]})
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/embeddings", {"input": ["a", {"content": []}]}, "all text, all tokens, or all content"),
        ("/embeddings", {"input": ["a", None]}, "all text"),
        ("/embeddings", {"input": [{"content": [{"type": "video_url"}]}]}, "must be one of text, image_url"),
        ("/embeddings", {"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ("/embeddings", {"input": "a", "dimensions": 0}, "expected dimensions to be a positive integer"),
        ("/rerank", {"query": "a", "documents": ["b"], "top_n": -1}, "expected top_n to be a positive integer"),
    ],
)
def test_requests_for_vectors_and_ranks_are_checked(client: Client, path: str, body: dict[str, Any], said: str) -> None:
    answer = client.post(path, {"model": "openai/text-embedding-3-small", **body})
    assert answer.status == 400 and said in answer.body["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embeddings", {}),
        ("/embeddings", {"input": []}),
        ("/rerank", {"query": "x"}),
        ("/rerank", {"query": "x", "documents": []}),
    ],
)
def test_vectors_of_nothing(path: str, body: dict[str, Any], client: Client) -> None:
    assert client.post(path, {"model": "m", **body}).status == 400


def test_reasoning_without_readable_details(gateway: LocalGateway, client: Client) -> None:
    secret = {"type": "reasoning.encrypted", "data": "..."}
    gateway.reply("Hi", reasoning="Hm, yes", reasoning_details=[secret])
    deltas = [chunk["choices"][0]["delta"] for chunk in client.chat(stream=True).chunks]
    assert "".join(delta.get("reasoning") or "" for delta in deltas) == "Hm, yes"
    assert [item for delta in deltas for item in delta.get("reasoning_details", ())] == [secret]


def test_where_a_tool_must_be_called_an_agents_loop_comes_to_an_end(client: Client) -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("a", "b")]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
    called = []
    for _ in range(3):
        message = client.message(messages=messages, tools=tools, tool_choice="required")
        called += [call["function"]["name"] for call in message["tool_calls"]]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "1"} for call in message["tool_calls"]]
        messages += [message, *results]
    assert called == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (5, "json_schema: Input should be a valid dictionary"),
        ({"schema": {}}, "name: Field required"),
        (
            {"name": "x", "schema": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}},
            "requires itself without end",
        ),
        ({"name": "x", "schema": {"$ref": "#/$defs/nowhere"}}, "Invalid schema: nothing is at '#/$defs/nowhere'"),
        ({"name": "x", "schema": {"properties": 5, "required": ["a"]}}, "Invalid schema: 5 is no value for properties"),
    ],
    ids=["no object", "no name", "endless", "nowhere", "no properties"],
)
def test_a_schema_that_cannot_be_filled_is_refused(client: Client, named: Any, said: str) -> None:
    answer = client.chat(response_format={"type": "json_schema", "json_schema": named})
    assert answer.status == 400
    assert said in answer.body["error"]["message"]


def test_the_text_of_a_part_to_embed_is_text(client: Client) -> None:
    part = {"type": "text", "text": 5}
    assert client.post("/embeddings", {"model": "m", "input": [{"content": [part]}]}).status == 400


def test_parameters_that_cannot_be_filled_are_refused(client: Client) -> None:
    function = {"name": "f", "parameters": {"properties": 5, "required": ["a"]}}
    answer = client.chat(tools=[{"type": "function", "function": function}], tool_choice="required")
    assert answer.status == 400
    assert answer.body["error"]["message"] == "Invalid schema: 5 is no value for properties"


@pytest.mark.parametrize("schema", [{}, {"schema": None}], ids=["absent", "null"])
def test_a_schema_need_not_be_given(client: Client, schema: dict[str, Any]) -> None:
    format_ = {"type": "json_schema", "json_schema": {"name": "x", **schema}}
    assert client.message("Hi", response_format=format_)["content"] == '"Hi"'


def test_only_a_key_has_models_of_its_own(client: Client) -> None:
    assert client.get("/models/user", key="").status == 401
    assert client.get("/models/user").body == client.get("/models", key="").body
    assert client.get("/models/openai/gpt-4o/endpoints", key="").status == 200
