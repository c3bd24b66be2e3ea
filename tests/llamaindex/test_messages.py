"""ChatMessages to the wire's messages."""

import base64
import io
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
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

from openrouter_adapters.llamaindex.messages import wire_messages

from .conftest import PNG, PNG_URL

WAV = base64.b64decode("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=")
HOUR = CachePoint(cache_control=CacheControl(type="ephemeral", ttl="1h"))


def wire(*blocks: Any, role: str = "user", **extra: Any) -> dict[str, Any]:
    [made] = wire_messages([ChatMessage(role=role, blocks=list(blocks), additional_kwargs=extra)])
    return made


def part(*blocks: Any, **options: Any) -> Any:
    [only] = wire(*blocks, **options)["content"]
    return only


@pytest.mark.parametrize(
    ("role", "sent"),
    [
        ("system", "system"),
        ("developer", "developer"),
        ("user", "user"),
        ("assistant", "assistant"),
        ("model", "assistant"),
        ("chatbot", "assistant"),
    ],
)
def test_roles(role: str, sent: str) -> None:
    assert wire_messages([ChatMessage(role=MessageRole(role), content="hi")]) == [{"role": sent, "content": "hi"}]


@pytest.mark.parametrize("role", ["tool", "function"])
def test_tool_results(role: str) -> None:
    made = wire(TextBlock(text="4"), role=role, tool_call_id="call_1", name="add")
    assert made == {"role": "tool", "content": "4", "tool_call_id": "call_1", "name": "add"}
    with pytest.raises(ValueError, match="tool_call_id"):
        wire(TextBlock(text="4"), role=role)


def test_tool_results_with_pictures() -> None:
    made = wire(TextBlock(text="see"), ImageBlock(image=PNG), role="tool", tool_call_id="c")
    assert [part["type"] for part in made["content"]] == ["text", "image_url"]


def test_name() -> None:
    assert wire(TextBlock(text="hi"), name="ann") == {"role": "user", "content": "hi", "name": "ann"}


def test_pictures(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(PNG)  # no suffix: its type is told from the data
    assert part(ImageBlock(image=PNG))["image_url"] == {"url": PNG_URL}
    assert part(ImageBlock(path=tmp_path / "picture"))["image_url"] == {"url": PNG_URL}
    assert part(ImageBlock(image=io.BytesIO(PNG)))["image_url"] == {"url": PNG_URL}
    assert part(ImageBlock(url=PNG_URL))["image_url"] == {"url": PNG_URL}
    url = "https://example.com/a%20b.png?x=1"
    assert part(ImageBlock(url=url, detail="low")) == {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def test_sound(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(WAV)
    encoded = base64.b64encode(WAV).decode()
    wanted = {"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}}
    assert part(AudioBlock(audio=WAV)) == part(AudioBlock(path=tmp_path / "a.wav")) == wanted
    assert part(AudioBlock(url=f"data:audio/wav;base64,{encoded}")) == wanted
    assert part(AudioBlock(audio=WAV, format="pcm16"))["input_audio"]["format"] == "pcm16"
    with pytest.raises(ValueError, match="inline only"):
        wire(AudioBlock(url="https://example.com/a.wav"))
    with pytest.raises(ValueError, match="format"):
        wire(AudioBlock(audio=b"\x01\x02\x03"))


def test_films() -> None:
    assert part(VideoBlock(url="https://example.com/a.mp4"))["video_url"] == {"url": "https://example.com/a.mp4"}
    assert (
        part(VideoBlock(video=b"\x01", video_mimetype="video/mp4"))["video_url"]["url"] == "data:video/mp4;base64,AQ=="
    )
    with pytest.raises(ValueError, match="video_mimetype"):
        wire(VideoBlock(video=b"\x01\x02\x03"))


def test_documents(tmp_path: Path) -> None:
    pdf = base64.b64encode(b"%PDF-1.4").decode()
    (tmp_path / "a.txt").write_text("hi")
    assert part(DocumentBlock(data=b"%PDF-1.4", title="a.pdf")) == {
        "type": "file",
        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{pdf}"},
    }
    by_address = part(DocumentBlock(url="https://example.com/x/report.pdf?v=2"))["file"]
    assert by_address == {"filename": "report.pdf", "file_data": "https://example.com/x/report.pdf?v=2"}
    assert part(DocumentBlock(path=tmp_path / "a.txt"))["file"] == {
        "filename": "a.txt",
        "file_data": "data:text/plain;base64,aGk=",
    }
    assert part(DocumentBlock(data=b"???"))["file"]["file_data"].startswith("data:application/octet-stream;base64,")


@pytest.mark.parametrize("block", [ImageBlock(), VideoBlock(), DocumentBlock(), AudioBlock()])
def test_empty_blocks_are_an_error(block: Any) -> None:
    with pytest.raises(ValueError, match=r"needs|empty"):
        wire(block)


def test_cache_points() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    made = wire(TextBlock(text="long"), HOUR, TextBlock(text="short"), role="system")
    assert made["content"] == [
        {"type": "text", "text": "long", "cache_control": mark},
        {"type": "text", "text": "short"},
    ]
    assert part(ImageBlock(image=PNG), HOUR)["cache_control"] == mark
    assert part(TextBlock(text="4"), HOUR, role="tool", tool_call_id="c")["cache_control"] == mark
    by_message = wire(TextBlock(text="a"), TextBlock(text="b"), cache_control={"type": "ephemeral"})["content"]
    assert [part.get("cache_control") for part in by_message] == [None, {"type": "ephemeral"}]
    with pytest.warns(UserWarning, match="cache point"):
        assert wire(HOUR, TextBlock(text="a"))["content"] == "a"


def test_citable_and_cited() -> None:
    assert wire(CitableBlock(title="T", source="S", content="body"))["content"] == [
        {"type": "text", "text": "[T] (S)"},
        {"type": "text", "text": "body"},
    ]
    cited = CitationBlock(cited_content="c", source="s", title="t", additional_location_info={})
    assert wire(TextBlock(text="so"), cited, role="assistant") == {"role": "assistant", "content": "so"}


def test_unknown_blocks_are_left_out_with_one_warning() -> None:
    class HologramBlock(TextBlock):
        block_type: str = "hologram"  # type: ignore[assignment]

    messages = [ChatMessage(role="user", content="hi") for _ in range(3)]
    for message in messages:
        message.blocks.append(HologramBlock(text="x"))
    with pytest.warns(UserWarning, match="HologramBlock") as seen:
        assert wire_messages(messages) == [{"role": "user", "content": "hi"}] * 3
    assert len(seen) == 1


# -------------------------------------------------------------------------------------------------- an assistant's


DETAILS = [{"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}, {"type": "new.kind", "x": [1]}]


def test_reasoning_goes_back_unchanged() -> None:
    thought = ThinkingBlock(content="hm", additional_information={"reasoning_details": DETAILS})
    made = wire(thought, TextBlock(text="so"), role="assistant")
    assert made == {"role": "assistant", "content": "so", "reasoning_details": DETAILS}
    assert wire(ThinkingBlock(content="hm"), TextBlock(text="so"), role="assistant")["reasoning"] == "hm"
    empty = ThinkingBlock(content="", additional_information={"reasoning_details": []})
    assert wire(empty, TextBlock(text="so"), role="assistant")["reasoning_details"] == []
    foreign = ThinkingBlock(content="hm", additional_information={"signature": "theirs"})
    assert wire(foreign, TextBlock(text="so"), role="assistant") == {"role": "assistant", "content": "so"}
    assert wire(ThinkingBlock(content="hm"), TextBlock(text="so")) == {"role": "user", "content": "so"}


def test_reasoning_given_by_hand_goes_back_where_no_block_has_any() -> None:
    made = wire(TextBlock(text="so"), role="assistant", reasoning_details=DETAILS)
    assert made == {"role": "assistant", "content": "so", "reasoning_details": DETAILS}
    thought = ThinkingBlock(content="hm", additional_information={"reasoning_details": DETAILS})
    assert wire(thought, role="assistant", reasoning_details=[])["reasoning_details"] == DETAILS
    assert wire(ThinkingBlock(content="hm"), role="assistant", reasoning_details=DETAILS).keys() == {
        "role",
        "content",
        "reasoning_details",
    }
    assert "reasoning_details" not in wire(TextBlock(text="so"), role="assistant", reasoning_details="hm")
    assert "reasoning_details" not in wire(TextBlock(text="so"), reasoning_details=DETAILS)


def call(arguments: str, call_id: str = "c1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "add", "arguments": arguments}}


def test_tool_calls_keep_their_original_text() -> None:
    block = ToolCallBlock(tool_call_id="c1", tool_name="add", tool_kwargs={"a": 1, "b": 2})
    original = '{"b":2,  "a":1}'
    made = wire(TextBlock(text=""), block, role="assistant", tool_calls=[call(original)])
    assert made == {"role": "assistant", "content": None, "tool_calls": [call(original)]}
    assert wire(block, role="assistant")["tool_calls"] == [call('{"a": 1, "b": 2}')]
    edited = wire(block, role="assistant", tool_calls=[call('{"a": 3}')])
    assert edited["tool_calls"] == [call('{"a": 1, "b": 2}')]
    trimmed = wire(block, role="assistant", tool_calls=[call(original), call("{}", "c2")])
    assert trimmed["tool_calls"] == [call(original)]


def test_tool_calls_without_blocks() -> None:
    assert wire(TextBlock(text="hm"), role="assistant", tool_calls=[{**call(""), "index": 0}])["tool_calls"] == [
        call("{}")
    ]
    item = SimpleNamespace(model_dump=lambda: call('{"a": 1}'))
    assert wire(role="assistant", tool_calls=[item]) == {
        "role": "assistant",
        "content": None,
        "tool_calls": [call('{"a": 1}')],
    }


def test_a_cut_off_call_goes_back_only_if_it_was_answered() -> None:
    said = ChatMessage(
        role="assistant",
        blocks=[ToolCallBlock(tool_call_id="c1", tool_name="add", tool_kwargs='{"a')],
        additional_kwargs={"tool_calls": [call('{"a')]},
    )
    told = ChatMessage(role="tool", content="cut off", additional_kwargs={"tool_call_id": "c1"})
    assert [message["role"] for message in wire_messages([said, ChatMessage("go on")])] == ["user"]
    assert wire_messages([said, told])[0]["tool_calls"] == [call('{"a')]


def test_pictures_and_files_of_an_answer_go_back() -> None:
    notes = [{"type": "file", "file": {"hash": "h", "content": []}}]
    made = wire(TextBlock(text="see"), ImageBlock(url=PNG_URL), role="assistant", annotations=notes)
    assert made == {
        "role": "assistant",
        "content": "see",
        "images": [{"type": "image_url", "image_url": {"url": PNG_URL}}],
        "annotations": notes,
    }
    unthought = ThinkingBlock(content="", additional_information={"annotations": notes})
    assert wire(unthought, TextBlock(text="see"), role="assistant") == {
        "role": "assistant",
        "content": "see",
        "annotations": notes,
    }
    assert wire(TextBlock(text="la"), AudioBlock(audio=WAV), role="assistant")["content"] == "la"
    with pytest.warns(UserWarning, match="audio of an assistant without its words"):
        assert wire(TextBlock(text=""), AudioBlock(audio=WAV), role="assistant")["content"] == ""


def test_nothing_of_the_callers_is_changed() -> None:
    message = ChatMessage(
        role="user", blocks=[TextBlock(text="a"), HOUR], additional_kwargs={"cache_control": {"type": "ephemeral"}}
    )
    before = message.model_dump()
    with warnings.catch_warnings():
        wire_messages([message])
    assert message.model_dump() == before
