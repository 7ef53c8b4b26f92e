"""What the model may call: schemas from signatures and docstrings, and arguments checked against them."""

from __future__ import annotations

import datetime
import enum
import functools
import json
import math
import re
from pathlib import Path
from typing import (
    Annotated,
    Any,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_types import JSON, Guest, Unit
from voicelane import MCPServer, Tool, ToolSet
from voicelane.docstrings import parse_docstring
from voicelane.tool_runner import output_text
from voicelane.tool_schema import ArgumentError

# --- functions -------------------------------------------------------------------------------


def get_weather(
    city: str,
    unit: Unit = Unit.CELSIUS,
    *,
    days: Annotated[int, "how many days ahead"] = 1,
    detail=None,
) -> str:
    """The weather in a city.

    Use it whenever somebody asks for weather.

    Args:
        city (str, optional): its name,
            without the country: "London".
        days: not this text, the hint has one.

    Returns:
        str: a sentence.
    """
    return f"{city} {unit.value} {days} {detail}"


def test_a_function_is_described_by_its_signature_and_docstring() -> None:
    assert Tool(get_weather).wire() == {
        "type": "function",
        "name": "get_weather",
        "description": "The weather in a city.\n\nUse it whenever somebody asks for weather.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {
                    "type": "string",
                    "description": 'its name, without the country: "London".',
                },
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "description": "how many days ahead"},
                "detail": {},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    }


def test_arguments_are_read_as_the_hints_say_and_defaults_are_left_to_the_function() -> None:
    tool = Tool(get_weather)
    given = '{"city": "London", "unit": "fahrenheit", "days": "3"}'
    assert tool.read_arguments(given) == {"city": "London", "unit": Unit.FAHRENHEIT, "days": 3}
    assert Tool(lambda: None, name="nothing").read_arguments("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "missing: city"),
        ("{", "the arguments are not JSON: "),
        ('{"city": NaN}', "the arguments are not JSON: NaN is no JSON"),
        ("[" * 100_000, "the arguments are not JSON: "),
        ('["London"]', 'the arguments: expected an object, got ["London"]'),
        ("null", "the arguments: expected an object, got null"),
        ('{"city": 5}', "city: expected a string, got 5"),
        ('{"city": "a", "county": "b"}', "unknown: county (known: city, unit, days, detail)"),
    ],
)
def test_bad_arguments_are_told_to_the_model(text: str, said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Tool(get_weather).read_arguments(text)
    assert str(caught.value).startswith(said)


class Kitchen:
    """The kitchen of a restaurant."""

    def order(self, dish: str) -> str:
        """Orders a dish."""
        return dish

    @classmethod
    def close(cls) -> None: ...

    @staticmethod
    def open(hour: int) -> None: ...

    async def __call__(self, dish: str) -> str:
        return dish


@pytest.mark.parametrize(
    ("function", "name", "names", "description"),
    [
        (Kitchen().order, "order", ["dish"], "Orders a dish."),
        (Kitchen.close, "close", [], ""),
        (Kitchen.open, "open", ["hour"], ""),
        (Kitchen(), "Kitchen", ["dish"], "The kitchen of a restaurant."),
        (
            functools.partial(get_weather, "London"),
            "get_weather",
            ["unit", "days", "detail"],
            "The weather",
        ),
        (
            functools.partial(get_weather, days=2),
            "get_weather",
            ["city", "unit", "detail"],
            "The weather",
        ),
    ],
)
def test_every_kind_of_callable(
    function: Any, name: str, names: list[str], description: str
) -> None:
    tool = Tool(function)
    assert tool.name == name
    assert list(tool.wire()["parameters"]["properties"]) == names
    assert tool.description.startswith(description)


def test_what_a_partial_has_bound_is_neither_shown_nor_asked_for() -> None:
    def search(query: str, api_key: str = "none") -> None: ...

    bound = functools.partial(search, api_key="very-secret")
    tool = Tool(bound)
    assert "very-secret" not in repr(tool) + json.dumps(tool.wire())
    with pytest.raises(ArgumentError, match="unknown: api_key"):
        tool.read_arguments('{"query": "a", "api_key": "b"}')
    explicit = Tool(bound, parameters={"type": "object"})
    with pytest.raises(ArgumentError, match="unknown: api_key"):
        explicit.read_arguments('{"query": "a", "api_key": "b"}')
    with pytest.raises(TypeError) as caught:
        Tool(functools.partial(lambda *a, b: None, b="very-secret"), name="t")
    assert "very-secret" not in str(caught.value)


def takes_args(*cities: str) -> None: ...
def takes_kwargs(**cities: str) -> None: ...
def takes_positional(city: str, /) -> None: ...
def takes_bytes(city: bytes) -> None: ...
def takes_unknown(city: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("tool", "error", "said"),
    [
        (takes_args, TypeError, r"takes_args: the parameter '\*cities' is variadic positional"),
        (takes_kwargs, TypeError, r"takes_kwargs: the parameter '\*\*cities' is variadic keyword"),
        (takes_positional, TypeError, "takes_positional: the parameter 'city' is positional-only"),
        (takes_bytes, TypeError, "takes_bytes.city: there is no JSON schema"),
        (takes_unknown, TypeError, "takes_unknown: a type hint cannot be resolved"),
        (lambda: None, ValueError, "'<lambda>': give it one by Tool"),
        (Guest, TypeError, "expected a function or another callable, got a class"),
        ("get_weather", TypeError, "expected a function or another callable, got str"),
        (print, TypeError, r"print: the parameter '\*args'"),
    ],
)
def test_what_is_no_tool_is_refused_by_name(tool: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        ToolSet([tool])


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"name": "no spaces"}, ValueError, "'no spaces'"),
        ({"name": "n" * 65}, ValueError, "1 to 64"),
        ({"timeout_s": 0}, ValueError, "get_weather.timeout_s: expected more than 0"),
        ({"timeout_s": math.nan}, ValueError, "get_weather.timeout_s: expected more than 0"),
        ({"timeout_s": "1"}, TypeError, "get_weather.timeout_s: expected seconds"),
        ({"parameters": {"type": "array"}}, ValueError, "get_weather.parameters"),
        ({"parameters": "{}"}, ValueError, "get_weather.parameters"),
    ],
)
def test_bad_settings_of_a_tool_are_refused_by_name(
    arguments: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        Tool(get_weather, **arguments)


def test_an_explicit_schema_is_sent_as_it_is_and_arguments_come_as_they_are() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = Tool(get_weather, name="weather", description="Asks.", parameters=schema)
    assert tool.wire() == {
        "type": "function",
        "name": "weather",
        "description": "Asks.",
        "parameters": schema,
    }
    assert tool.read_arguments('{"city": 7}') == {"city": 7}
    for text, said in {
        "{}": "missing: city",
        "[]": "the arguments: expected an object",
        '{"city": "a", "county": "b"}': "unexpected keyword argument 'county'",
    }.items():
        with pytest.raises(ArgumentError, match=said):
            tool.read_arguments(text)


def test_a_callable_that_carries_its_schema_is_taken_with_it() -> None:
    class Ready:
        name, description = "ready", "It is."
        parameters: dict[str, Any] = {"type": "object", "properties": {}}  # noqa: RUF012

        def __call__(self, **arguments: Any) -> Any:
            return arguments

    (tool,) = ToolSet([Ready()])
    assert isinstance(tool, Tool)
    assert (tool.name, tool.description, tool.parameters) == ("ready", "It is.", Ready.parameters)
    assert tool.read_arguments('{"anything": 1}') == {"anything": 1}


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two of 'get_weather'"):
        ToolSet([get_weather, Tool(takes_nothing, name="get_weather")])
    with pytest.raises(ValueError, match="two of 'docs'"):
        ToolSet([MCPServer("docs", "https://a"), MCPServer("docs", "https://b")])


def takes_nothing() -> None: ...


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"tools": get_weather}, TypeError),
        ({"tools": "get_weather"}, TypeError),
        ({"tools": {"get_weather": get_weather}}, TypeError),
        ({"tools": [None]}, TypeError),
        ({"timeout_s": -1}, ValueError),
        ({"max_running_calls": 0}, ValueError),
        ({"max_running_calls": 1.5}, TypeError),
    ],
)
def test_bad_settings_of_a_set_are_refused_by_name(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        ToolSet(**arguments)


# --- docstrings ------------------------------------------------------------------------------

NUMPY = """Says it.

More of it.

Parameters
----------
city : str, optional
    Its name,
    without the country.
latitude, longitude : float
    Where it is.
plain
    Without a type.

Returns
-------
city : str
    Not this.
"""

REST = """Says it.

More of it.

:param city: Its name,
    without the country.
:param float latitude: Where it is.
:type latitude: float
:returns: not this
:raises ValueError: nor this
"""

GOOGLE = """Says it.

More of it.

Arguments:
    city (dict[str, tuple(int, int)]): Its name,
        without the country: a note.
            deeper: still of the city.
    latitude: Where it is (roughly): there.
    nothing:

Raises:
    city: not this.
"""


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        (
            NUMPY,
            {
                "city": "Its name, without the country.",
                "latitude": "Where it is.",
                "longitude": "Where it is.",
                "plain": "Without a type.",
            },
        ),
        (REST, {"city": "Its name, without the country.", "latitude": "Where it is."}),
        (
            GOOGLE,
            {
                "city": "Its name, without the country: a note. deeper: still of the city.",
                "latitude": "Where it is (roughly): there.",
            },
        ),
    ],
)
def test_docstrings_in_three_styles(text: str, parameters: dict[str, str]) -> None:
    said = parse_docstring(text)
    assert said.description == "Says it.\n\nMore of it."
    assert said.parameters == parameters


@given(st.text(alphabet=st.sampled_from("ab:-\n (),*Args:Parameters\t")))
def test_no_docstring_breaks_the_parser(text: str) -> None:
    assert len(parse_docstring(text).description) <= len(text)


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_read_or_refused_as_an_argument_error(text: str) -> None:
    try:
        arguments = Tool(get_weather).read_arguments(text)
    except ArgumentError:
        return
    assert isinstance(get_weather(**arguments), str)


# --- results ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, "null"),
        ({"a": [1, 2.5, True]}, '{"a": [1, 2.5, true]}'),
        ("zażółć", "zażółć"),
        (["zażółć"], '["zażółć"]'),
        (Guest("Ann", 3), '{"name": "Ann", "age": 3, "tags": [], "seen": 0}'),
        ([Unit.CELSIUS], '["celsius"]'),
        (Unit.CELSIUS, '"celsius"'),
        (enum.StrEnum("Kind", {"A": "a"}).A, '"a"'),
        ({"at": datetime.datetime(2026, 1, 31, 18, 30)}, '{"at": "2026-01-31T18:30:00"}'),
        ([datetime.date(2026, 1, 31), datetime.time(18)], '["2026-01-31", "18:00:00"]'),
        (datetime.timedelta(seconds=90), "90.0"),
        ({1}, "[1]"),
        (Path("a/b"), '"a/b"'),
    ],
)
def test_results_are_text_as_it_is_or_json(result: Any, text: str) -> None:
    assert output_text(result) == text


circle: list[Any] = []
circle.append(circle)


@pytest.mark.parametrize("result", [object(), b"bytes", math.nan, {Unit.CELSIUS: 1}, circle, Guest])
def test_a_result_without_json_is_an_error_for_the_model(result: Any) -> None:
    with pytest.raises(Exception, match="has no JSON form") as caught:
        output_text(result)
    assert type(caught.value).__name__ == "ToolError"


def test_the_document_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_VOICE_LIVE_API_KEY", "key")
    text = (Path(__file__).parent.parent / "docs" / "tools.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    told = [tool.get("name", tool.get("server_label")) for tool in names["model"].tools]
    assert told == ["get_weather", "slow_weather", "docs"]


# --- MCP servers -----------------------------------------------------------------------------


def test_an_mcp_server_is_sent_whole_and_shown_without_its_secrets() -> None:
    server = MCPServer(
        "docs",
        "https://user:hidden-1@example.com:8443/mcp?key=hidden-2",
        authorization="hidden-3",
        headers={"X-Key": "hidden-4"},
        allowed_tools=["search"],
        require_approval={"never": ("search",)},
    )
    assert server.wire() == {
        "type": "mcp",
        "server_label": "docs",
        "server_url": "https://user:hidden-1@example.com:8443/mcp?key=hidden-2",
        "authorization": "hidden-3",
        "headers": {"X-Key": "hidden-4"},
        "allowed_tools": ["search"],
        "require_approval": {"never": ["search"]},
    }
    assert repr(server) == "MCPServer(label='docs', url='https://example.com/mcp')"
    assert "hidden" not in str(server) + f"{ToolSet([server])!r}"
    assert MCPServer("docs", "http://localhost", require_approval="never").wire() == {
        "type": "mcp",
        "server_label": "docs",
        "server_url": "http://localhost",
        "require_approval": "never",
    }


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"label": ""}, ValueError, "label"),
        ({"url": "stdio:server"}, ValueError, "docs.url"),
        ({"allowed_tools": "search"}, TypeError, "docs.allowed_tools"),
        ({"require_approval": "sometimes"}, ValueError, "docs.require_approval"),
        ({"require_approval": {"sometimes": []}}, ValueError, "docs.require_approval"),
        ({"on_approval": True}, TypeError, "docs.on_approval"),
        ({"approval_timeout_s": 0}, ValueError, "docs.approval_timeout_s"),
    ],
)
def test_bad_settings_of_a_server_are_refused_by_name(
    arguments: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        MCPServer(**{"label": "docs", "url": "https://example.com", **arguments})
