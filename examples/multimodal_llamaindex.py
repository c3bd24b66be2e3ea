"""Images and PDFs in, an image out, and the image back in to be changed: with LlamaIndex's blocks."""

import base64
import tempfile
from pathlib import Path

from llama_index.core.llms import ChatMessage, DocumentBlock, ImageBlock, TextBlock
from offline import openrouter

from openrouter_adapters.llamaindex import OpenRouter

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


def ask(question, *blocks):
    """A user's message with files."""
    print(f"> {question}")
    return ChatMessage(role="user", blocks=[TextBlock(text=question), *blocks])


def saved(pixels, mime_type):
    """Where a generated image can be looked at."""
    path = Path(tempfile.mkdtemp()) / f"painted.{mime_type.rpartition('/')[2]}"
    path.write_bytes(pixels)
    return path.as_uri()


def show(response):
    """The answer, block by block, and its cost."""
    for block in response.message.blocks:
        if block.block_type == "text":
            print(f"  {block.text}")
        elif block.block_type == "image":
            pixels = block.resolve_image().read()
            print(f"  [{block.image_mimetype}, {len(pixels)} bytes] {saved(pixels, block.image_mimetype)}")
    parsed = [each["file"]["name"] for each in response.additional_kwargs.get("annotations", ()) if "file" in each]
    print("  " + "".join(f"parsed {name}, " for name in parsed) + f"${response.additional_kwargs['cost']:.6f}")
    return response.message


with openrouter(script) as connection:
    llm = OpenRouter(model="google/gemini-2.5-flash", **connection)
    show(llm.chat([ask("What is on this picture?", ImageBlock(path=MEDIA / "lighthouse.png"))]))

    # A parsed file comes back with the answer: kept in the conversation, it is not parsed, and paid for, again.
    talk = [ask("How was the wind?", DocumentBlock(path=MEDIA / "log.pdf"))]
    talk += [show(llm.chat(talk)), ask("And when was the lamp lit?")]
    show(llm.chat(talk))

    painter = OpenRouter(model="google/gemini-2.5-flash-image", modalities=["image", "text"], **connection)
    talk = [ask("Paint a lighthouse at night.")]
    talk += [show(painter.chat(talk)), ask("Make it day.")]
    show(painter.chat(talk))
