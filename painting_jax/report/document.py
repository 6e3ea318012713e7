"""The frame of every page: one HTML file that needs no other."""

import base64
import html

from painting_jax.report.style import CSS, SCRIPT


def document(title: str, *, lead: str, headlines: str, main: str, footer: str) -> str:
    """A whole page.

    Args:
      title: Plain text.
      lead: Plain text below it.
      headlines: HTML, from `headline_list`.
      main: HTML.
      footer: HTML.
    """
    title = html.escape(title)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="lead">{html.escape(lead)}</p>
{headlines}
</header>
<main>
{main}
</main>
<footer>{footer}</footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def headline_list(items: list[tuple[str, str]]) -> str:
    """The most important numbers as HTML, each with its explanation; both are plain text."""
    cards = "".join(
        f"<li><b>{html.escape(number)}</b><span>{html.escape(text)}</span></li>"
        for number, text in items
    )
    return f'<ul class="headlines">{cards}</ul>' if items else ""


def data_uri(webp: bytes) -> str:
    """The address of a picture that lies in the page itself."""
    return "data:image/webp;base64," + base64.b64encode(webp).decode()
