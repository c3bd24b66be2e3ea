"""Images and PDFs in, an image out, and the image back in to be changed: with LangChain's blocks."""

import base64
import tempfile
from pathlib import Path

from langchain_core.messages import HumanMessage
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter

MEDIA = Path(__file__).parent / "media"


def script(gateway):  # only without a key: what the local gateway answers
    pixels = "data:image/png;base64," + base64.b64encode((MEDIA / "lighthouse.png").read_bytes()).decode()
    pages = {"hash": "5f2c", "name": "log.pdf", "content": [{"type": "text", "text": "..."}]}
    gateway.reply("A lighthouse, red and white, with its lamp lit.")
    gateway.reply("South-west, force 6.", annotations=[{"type": "file", "file": pages}])
    gateway.reply("At 16:40.")
    gateway.reply("Here it is.", images=[pixels])
    gateway.reply("Now it is day.", images=[pixels])
    return "a local gateway gives scripted answers."


def block(kind, name, mime_type):
    """A file as one of LangChain's standard content blocks."""
    data = base64.b64encode((MEDIA / name).read_bytes()).decode()
    return {"type": kind, "base64": data, "mime_type": mime_type, "filename": name}


def ask(question, *blocks):
    """A user's message with files."""
    print(f"> {question}")
    return HumanMessage([{"type": "text", "text": question}, *blocks])


def saved(pixels, mime_type):
    """Where a generated image can be looked at."""
    path = Path(tempfile.mkdtemp()) / f"painted.{mime_type.rpartition('/')[2]}"
    path.write_bytes(pixels)
    return path.as_uri()


def show(answer):
    """The answer, block by block, and its cost."""
    for part in answer.content_blocks:
        if part["type"] == "text":
            print(f"  {part['text']}")
        elif part["type"] == "image":
            pixels = base64.b64decode(part["base64"])
            print(f"  [{part['mime_type']}, {len(pixels)} bytes] {saved(pixels, part['mime_type'])}")
    parsed = [each["file"]["name"] for each in answer.additional_kwargs.get("annotations", ()) if "file" in each]
    print("  " + "".join(f"parsed {name}, " for name in parsed) + f"${answer.response_metadata['cost']:.6f}")
    return answer


with openrouter(script) as connection:
    model = ChatOpenRouter(model="google/gemini-2.5-flash", **connection)
    show(model.invoke([ask("What is on this picture?", block("image", "lighthouse.png", "image/png"))]))

    # A parsed file comes back with the answer: kept in the conversation, it is not parsed, and paid for, again.
    talk = [ask("How was the wind?", block("file", "log.pdf", "application/pdf"))]
    talk += [show(model.invoke(talk)), ask("And when was the lamp lit?")]
    show(model.invoke(talk))

    painter = ChatOpenRouter(model="google/gemini-2.5-flash-image", modalities=["image", "text"], **connection)
    talk = [ask("Paint a lighthouse at night.")]
    talk += [show(painter.invoke(talk)), ask("Make it day.")]
    show(painter.invoke(talk))
