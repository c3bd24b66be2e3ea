"""Images and PDFs in, an image out, and the image back in to be changed."""

import base64
from pathlib import Path

from langchain_core.messages import HumanMessage
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter

MEDIA = Path(__file__).parent / "media"
PIXEL = "data:image/png;base64," + base64.b64encode((MEDIA / "lighthouse.png").read_bytes()).decode()
PARSED = {"type": "file", "file": {"hash": "5f2c", "name": "log.pdf", "content": [{"type": "text", "text": "..."}]}}


def script(gateway):
    gateway.reply("A lighthouse, red and white, with its lamp lit.")
    gateway.reply("South-west, force 6.", annotations=[PARSED])
    gateway.reply("At 16:40.")
    gateway.reply("Here it is.", images=[PIXEL])
    gateway.reply("Now it is day.", images=[PIXEL])
    return "a local gateway gives scripted answers."


def block(kind, name, mime_type):
    """A file as one of LangChain's standard content blocks."""
    data = base64.b64encode((MEDIA / name).read_bytes()).decode()
    return {"type": kind, "base64": data, "mime_type": mime_type, "filename": name}


def ask(question, *blocks):
    """A user's message with files."""
    print(f"> {question}")
    return HumanMessage([{"type": "text", "text": question}, *blocks])


def show(answer):
    """The answer, block by block."""
    for part in answer.content_blocks:
        if part["type"] == "text":
            print(f"  {part['text']}")
        elif part["type"] == "image":
            print(f"  [{part['mime_type']}, {len(base64.b64decode(part['base64']))} bytes]")
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
