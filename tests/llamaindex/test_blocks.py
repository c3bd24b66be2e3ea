"""Any message made of any blocks: a body that can be sent, or an error that says what is wrong with which message."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from openrouter_adapters.core.sendable import check_sendable
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter
from openrouter_adapters.llamaindex.messages import wire_messages

HERE = Path(__file__)
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"

# ----------------------------------------------------------------------------------------------- any conversation

text = st.text(max_size=4) | st.sampled_from(["", "a", "\ud800"])
words = st.sampled_from(["c1", "c2", "add", ""])
data = st.none() | st.binary(max_size=6) | st.just(GIF) | st.builds(io.BytesIO, st.binary(max_size=6) | st.just(GIF))
urls = st.none() | st.sampled_from(
    ["https://example.com/a.png", "data:image/gif;base64,R0lGODlh", "data:audio/wav,no", "data:,", "file:///a.pdf"]
)
paths = st.none() | st.just(HERE)
mimes = st.none() | st.sampled_from(["image/gif", "video/mp4", "application/pdf", ""])
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.builds(object),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
arguments = st.sampled_from(["{}", '{"a": 1}', '{"a"', "[]", ""])
plain_call = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": words, "arguments": arguments | anything})},
    optional={"id": words | st.none()},
)
leaf_blocks = st.one_of(
    st.builds(TextBlock, text=text),
    st.builds(ImageBlock, image=data, path=paths, url=urls, image_mimetype=mimes, detail=st.none() | words),
    st.builds(DocumentBlock, data=data, path=paths | st.just("/gone.pdf"), url=urls, title=st.none() | text),
)
blocks = st.one_of(
    leaf_blocks,
    st.builds(AudioBlock, audio=data, path=paths, url=urls, format=st.none() | words),
    st.builds(VideoBlock, video=data, path=paths, url=urls, video_mimetype=mimes),
    st.builds(CachePoint, cache_control=st.builds(CacheControl, type=st.just("ephemeral"), ttl=st.just("1h"))),
    st.builds(CitableBlock, title=text, source=text, content=st.lists(leaf_blocks, max_size=2)),
    st.builds(
        CitationBlock, cited_content=text, source=text, title=text, additional_location_info=st.just({"start_index": 0})
    ),
    st.builds(
        ThinkingBlock,
        content=st.none() | text,
        additional_information=st.dictionaries(
            st.sampled_from(["reasoning_details", "signature"]), anything, max_size=2
        ),
    ),
    st.builds(
        ToolCallBlock,
        tool_call_id=st.none() | words,
        tool_name=words,
        tool_kwargs=arguments | st.dictionaries(words, anything, max_size=2),
    ),
)
extras = st.fixed_dictionaries(
    {},
    optional={
        "cache_control": st.just({"type": "ephemeral"}) | anything,
        "name": words | anything,
        "tool_call_id": words | anything,
        "tool_calls": st.lists(plain_call, max_size=2) | anything,
        "annotations": anything,
        "of_another_package": anything,
    },
)
messages = st.builds(
    ChatMessage,
    role=st.sampled_from(list(MessageRole)),
    blocks=st.lists(blocks, max_size=4),
    additional_kwargs=extras,
)


@given(st.lists(messages, max_size=4))
def test_any_conversation_can_be_sent_or_is_refused_in_words(conversation: list[ChatMessage]) -> None:
    before = repr(conversation)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = wire_messages(conversation)
        check_sendable("messages", body)  # as the client does it
    except (TypeError, ValueError) as error:
        assert str(error).startswith(("messages", "a key of messages"))
    else:
        json.dumps(body)
        assert {message["role"] for message in body} <= {"system", "developer", "user", "assistant", "tool"}
        assert all(call["id"] for message in body for call in message.get("tool_calls", ()))
        assert all(message["tool_call_id"] for message in body if message["role"] == "tool")
    assert repr(conversation) == before


# ------------------------------------------------------------------------------------------------- single troubles


def one(block: Any, role: str = "user", **extra: Any) -> Any:
    made = wire_messages([ChatMessage("first"), ChatMessage(role=role, blocks=[block], additional_kwargs=extra)])
    return made[1]


def gone(tmp_path: Path) -> ImageBlock:
    (tmp_path / "a.png").write_bytes(GIF)
    block = ImageBlock(path=tmp_path / "a.png")
    (tmp_path / "a.png").unlink()
    return block


def closed(_: Path) -> DocumentBlock:
    file = io.BytesIO(b"%PDF")
    block = DocumentBlock(data=file, document_mimetype="application/pdf")
    file.close()
    return block


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (gone, r"messages\[1\]: the image block cannot be read: .*No such file"),
        (closed, r"messages\[1\]: the document block cannot be read: .*closed file"),
        (lambda _: DocumentBlock(path="/gone.pdf"), r"the document block cannot be read: .*'/gone.pdf'"),
        (lambda path: DocumentBlock(path=str(path)), r"the document block cannot be read: .*[Ii]s a directory"),
        (lambda _: VideoBlock(video=io.StringIO("text"), video_mimetype="video/mp4"), r"video block cannot be read"),
        (lambda _: ImageBlock(image=io.BytesIO(b""), image_mimetype="image/png"), r"the image block is empty"),
        (lambda _: AudioBlock(url="data:audio/wav,plain"), r"messages\[1\]: the audio block needs .* base64"),
        (lambda _: ToolCallBlock(tool_name="add", tool_kwargs={"a": {1}}), r"arguments of the call of 'add' cannot"),
    ],
)
def test_trouble_names_the_message_and_the_block(block: Any, said: str, tmp_path: Path) -> None:
    role = "assistant" if "ToolCall" in repr(block(tmp_path)) else "user"
    with pytest.raises((ValueError, TypeError), match=said):
        one(block(tmp_path), role)


def test_an_open_file_is_read_whole_and_stays_where_it_was() -> None:
    file = io.BytesIO(GIF)
    file.seek(3)
    assert one(ImageBlock(image=file))["content"][0]["image_url"]["url"].startswith("data:image/gif;base64,R0lGODlh")
    assert file.tell() == 3


@pytest.mark.parametrize("wrong", [True, "ephemeral", ["ephemeral"]])
def test_a_cache_control_that_is_no_object(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"messages\[1\]: cache_control=.* must be an object"):
        one(TextBlock(text="a"), cache_control=wrong)


def test_a_cache_point_says_only_what_was_set() -> None:
    point = CacheControl(type="ephemeral")
    assert one(TextBlock(text="a"), cache_control=point)["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert one(TextBlock(text="a"), role="tool", tool_call_id="c", cache_control=point)["content"][0]["cache_control"]


@pytest.mark.parametrize("role", ["user", "system", "tool"])
def test_a_call_is_an_assistants(role: str) -> None:
    with pytest.warns(UserWarning, match="ToolCallBlock"):
        assert one(ToolCallBlock(tool_name="add"), role, tool_call_id="c")["content"] == ""


def test_a_source_with_a_strange_block_in_it() -> None:
    source = CitableBlock(title="T", source="S", content="body")
    source.content.append(AudioBlock())  # type: ignore[arg-type]
    source.content.append("not even a block")  # type: ignore[arg-type]
    source.content[1].block_type = "hologram"  # type: ignore[assignment]
    with pytest.warns(UserWarning, match="messages: AudioBlock, str cannot be sent"):
        assert [part["text"] for part in one(source)["content"]] == ["[T] (S)", "body"]


@pytest.mark.parametrize("legacy", [False, True])
def test_calls_without_ids_are_told_apart(legacy: bool) -> None:
    """Some packages leave ids out, of calls and of their answers."""
    said = ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="add", tool_kwargs={"a": n}) for n in (1, 2)])
    if legacy:
        calls = [{"function": {"name": "add", "arguments": json.dumps({"a": n})}} for n in (1, 2)]
        said = ChatMessage(role="assistant", content=None, additional_kwargs={"tool_calls": calls})
    told = [ChatMessage(role=role, content=role) for role in ("tool", "function")]
    turn = [said, *told]
    made = wire_messages([*turn, *turn])
    asked = [call["id"] for message in made for call in message.get("tool_calls", ())]
    assert asked == [message["tool_call_id"] for message in made if message["role"] == "tool"]
    assert len(set(asked)) == 4
    with pytest.raises(ValueError, match=r"messages\[3\]: a tool message does not say which call it answers"):
        wire_messages([*turn, told[0]])


def test_an_option_that_the_wire_has_not() -> None:
    with pytest.warns(UserWarning, match="messages: detail of a video, fps of a video cannot be sent"):
        one(VideoBlock(url="https://example.com/a.mp4", fps=2, detail="low"))


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
def test_a_block_of_tomorrow_breaks_no_conversation(llm: OpenRouter, gateway: LocalGateway, role: str) -> None:
    class HologramBlock(TextBlock):
        block_type: str = "hologram"  # type: ignore[assignment]

    message = ChatMessage(role=role, content="hi", additional_kwargs={"tool_call_id": "c"})
    message.blocks.append(HologramBlock(text="x"))
    with pytest.warns(UserWarning, match="HologramBlock") as seen:
        for _ in range(2):
            assert llm.chat([message, ChatMessage("so")]).message.content
    assert [warning.filename for warning in seen] == [__file__] * 2  # the line to look at is the caller's
    assert [request.body["messages"][0]["content"] for request in gateway.requests] == ["hi", "hi"]
