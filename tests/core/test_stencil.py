"""The stencil reads what a parser reads, or nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from openrouter_adapters.core.stencil import Stencil

Json = dict[str, Any]

TEXTS = st.text(min_size=1, max_size=6) | st.sampled_from(
    ['"', "\\", '","role":"tool', "~", "é\u2028", "\n", '"content":"x"']
)
SPELLINGS: list[Callable[[Any], str]] = [
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False),
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    lambda value: json.dumps(value, sort_keys=True, indent=1).replace("\n", ""),
]


@st.composite
def chunks(draw: st.DrawFn) -> Json:
    """A chunk of text, with texts of the same name, or the same text, in other places."""
    text = draw(TEXTS)
    odd: Json = draw(
        st.sampled_from(
            [{}, {"note": {"content": text}}, {"content": draw(TEXTS)}, {"created": draw(st.integers(0, 9))}]
        )
    )
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    late: Json = draw(st.sampled_from([{}, {"content": text}, {"x": ['"content":"a"', text]}]))
    return {**odd, "id": "gen-1", "choices": [choice], **late}


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@given(chunks(), chunks(), st.sampled_from(SPELLINGS), st.booleans())
@example({"choices": [{"delta": {"content": "a"}}]}, {"choices": [{"delta": {"content": ""}}]}, json.dumps, False)
def test_what_is_read_is_what_a_parser_reads(
    first: Json, second: Json, spell: Callable[[Any], str], alike: bool
) -> None:
    if alike:
        text = second["choices"][0]["delta"]["content"]
        second = copy.deepcopy(first)
        second["choices"][0]["delta"]["content"] = text
    stencil = Stencil()
    stencil.cut(encoded(spell(first)), first["choices"][0]["delta"]["content"], 1)
    read = stencil.read(encoded(spell(second)))
    if read:
        other = copy.deepcopy(first)
        other["choices"][0]["delta"]["content"] = read
        assert json.loads(spell(second)) == other


def line(text: str, **more: Any) -> bytes:
    return json.dumps({"id": "gen-1", **more, "choices": [{"delta": {"content": text}}]}).encode()


def test_a_chunk_that_differs_in_its_text_alone_is_read() -> None:
    stencil = Stencil()
    assert stencil.read(line("a")) == ""
    stencil.cut(line("a"), "a", 1)
    assert [stencil.read(line(text)) for text in ("b", 'c"\\', "é", "\U0001f600")] == ["b", 'c"\\', "é", "\U0001f600"]


def test_anything_else_is_left_to_the_parser() -> None:
    stencil = Stencil()
    stencil.cut(line("a"), "a", 1)
    before, after = line("a").split(b'"a"')
    for inside in (b"1", b"null", b'""', b'"a', b'"a" ,"b":"c"', b'["a"]', b'"\\ud83d"', b'"\n"', b'"\xff"', b""):
        assert stencil.read(before + inside + after) == "", inside
    assert stencil.read(before) == stencil.read(line("a", created=1)) == stencil.read(b"[DONE]") == ""


def test_a_stream_whose_chunks_all_differ_is_given_up() -> None:
    stencil = Stencil()
    for number in range(20):
        stencil.cut(line("a", created=number), "a", number)
    assert stencil.read(line("b", created=19)) == ""
    stencil.cut(line("a"), "a", 100)  # it was of use for a while: the attempts begin anew
    assert stencil.read(line("b")) == "b"
