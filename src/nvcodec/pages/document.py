"""A page as one text: the shell, the shared style and script, and a page's own body and script.

shell.html <- page.css, body (in it viewer.html), data as JSON, page.js, script
"""

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def document(title: str, body: Path, script: Path, data: dict[str, Any]) -> str:
    """The whole page.

    Args:
        title: of the window.
        body: file with the content of BODY; `<!--VIEWER-->` in it becomes two pictures and slider.
        script: file that fills it, with `data` and the functions of `page.js`.
        data: plain values, finite.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    content = body.read_text(encoding="utf-8").replace("<!--VIEWER-->", _part("viewer.html"))
    page = _part("shell.html")
    for place, part in (
        ("TITLE", html.escape(title)),
        ("/*STYLE*/", _part("page.css")),
        ("<!--BODY-->", content),
        ("/*SHARED*/", _part("page.js")),
        ("/*SCRIPT*/", script.read_text(encoding="utf-8").strip()),
        ("{}/*DATA*/", text.replace("<", "\\u003c")),
    ):
        before, after = page.split(place)
        page = before + part + after
    return page


def picture_address(png: bytes) -> str:
    """A PNG picture as a data address, repacked without loss where Pillow is there."""
    content, kind = png, "png"
    try:
        from PIL import Image
    except ImportError:
        pass
    else:
        packed = io.BytesIO()
        with Image.open(io.BytesIO(png)) as image:
            image.save(packed, "WEBP", lossless=True, method=4)
        if packed.tell() < len(png):
            content, kind = packed.getvalue(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _part(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8").strip()
