"""Markdown as spans, whole and while it streams."""

import random

import pytest

from assistant.clients.desktop.markdown import LINK, Span, Stream, blocks

LONG = """# A heading

Some *plain* text with **bold**, `code` and [a link](https://example.org/x).
Its second line.

- one
- two
  with more
  1. nested
  2. again

3. third

> quoted
> twice

```python
def f():
    return "**not bold**"
```

| a | b |
|---|---|
| 1 | long cell |

---

    indented code

Last *words*
=====

1. a

2. b
"""


def spans(text):
    return [span for block in blocks(text) for span in block.spans]


def shown(text):
    return "".join(block.text for block in blocks(text))


def test_what_is_read_and_how_it_is_drawn():
    found = spans(LONG)
    assert Span("A heading\n", ("h1",)) in found
    assert Span("bold", ("bold",)) in found
    assert Span("code", ("mono",)) in found
    assert Span("a link", (LINK + "https://example.org/x",)) in found
    assert Span('def f():\n    return "**not bold**"\n', ("code",)) in found
    assert Span("quoted twice\n", ("quote",)) in found
    assert Span("1  long cell\n", ("code",)) in found
    text = shown(LONG)
    assert "•  two with more\n1.  nested\n2.  again\n" in text
    assert "3.  third\n" in text


def test_nested_lists_are_indented():
    assert Span("1.  nested\n2.  again\n", ("indent2",)) in spans(LONG)


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "<img src=https://x.test/pixel>", "a <b>c</b>"],
)
def test_html_is_text(text):
    assert shown(text) == text + "\n"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "file:///etc/passwd", "data:x", "//x"])
def test_a_link_that_could_do_something_is_no_link(address):
    assert not [s for s in spans(f"[here]({address})") if any(LINK in tag for tag in s.tags)]


def test_a_picture_is_not_loaded_but_named():
    assert spans("![a cat](https://x.test/p.png)") == [
        Span("[a cat]", ("faint",)), Span("\n", ())
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_streamed_is_the_same_as_whole(seed):
    rng = random.Random(seed)
    parts = LONG.split("\n\n")
    rng.shuffle(parts)
    text = "\n\n".join(parts)
    stream, seen, at = Stream(), [], 0
    while at < len(text):
        size = rng.randint(1, 12)
        kept, following = stream.add(text[at : at + size])
        assert kept <= len(seen)
        seen[kept:] = following
        at += size
    assert [b.spans for b in seen] == [b.spans for b in blocks(text)]


def test_a_long_answer_is_not_read_again_from_its_start():
    stream = Stream()
    for number in range(500):
        kept, following = stream.add(f"Paragraph {number}.\n\n")
        assert len(following) <= 3
    assert kept >= 497
