"""Markup that cannot be injected into: text is escaped unless it is `Markup` already."""

from __future__ import annotations

import html
from collections.abc import Iterable

Attribute = str | int | float | None


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: object, **attributes: Attribute) -> Markup:
    """An element. `class_` is the attribute class, `stroke_width` is stroke-width; None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_number(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[object]) -> Markup:
    return Markup("".join(child if isinstance(child, Markup) else html.escape(str(child)) for child in children))


def table(head: Iterable[object], rows: Iterable[Iterable[object]], *, numeric_from: int = 1) -> Markup:
    """A table whose columns from `numeric_from` on are numbers."""

    def cells(name: str, values: Iterable[object]) -> Markup:
        return tag(
            "tr",
            *(
                tag(name, value, class_="number" if index >= numeric_from else None)
                for index, value in enumerate(values)
            ),
        )

    body = (cells("td", row) for row in rows)
    return tag("div", tag("table", tag("thead", cells("th", head)), tag("tbody", *body)), class_="scroll")


def _number(value: Attribute) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
