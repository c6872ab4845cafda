"""The weather and a timer: an example of function tools, for `--tools voicelive_tui.tools.example`."""

import asyncio
from typing import Annotated, Literal

from msgspec import Meta


def get_weather(
    city: Annotated[str, Meta(description="A city, such as Oslo")], unit: Literal["celsius", "fahrenheit"] = "celsius"
) -> dict[str, object]:
    """The weather in a city."""
    print(f"looking out of the window in {city}")  # noqa: T201 - goes to the log
    return {"city": city, "sky": "sunny", "temperature": 21 if unit == "celsius" else 70}


async def set_timer(seconds: Annotated[float, Meta(gt=0, le=15)]) -> str:
    """Wait for some seconds, at most 15, and say that they are over."""
    await asyncio.sleep(seconds)
    return f"{seconds:g} seconds are over"
