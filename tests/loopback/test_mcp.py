"""MCP servers of a session: listing, calls, approvals, and the conversation while a call runs."""

import pytest

from tests.loopback.lab import Lab, error_of, kinds, only
from voicelive_tui.loopback.mcp import REFUSED, needs_approval
from voicelive_tui.loopback.script import Call, McpServer, McpTool, Reply, Script, load, shipped

MAPS = {"type": "mcp", "server_label": "maps", "server_url": "https://maps.example"}
FREE = {**MAPS, "require_approval": "never"}
ROUTE = Call("route", {"to": "Bern"}, server="maps", output="98 km", delay_ms=500)
SERVERS = (McpServer("maps", (McpTool("route", "The way."),)), McpServer("broken", fail="no such host"))


def scripted(*calls, **more):
    return Script(mcp=SERVERS, reply=(Reply(on="tool", say="It is {output}."), Reply(calls=calls)), **more)


def lab(*calls, tool=FREE, **more):
    made = Lab(script=scripted(*calls), tools=[tool], modalities=["text"], **more)
    made.run(1)
    made.events.clear()
    return made


def item_of(events, kind):
    return next(e["item"] for e in events if e["type"] == "conversation.item.created" and e["item"]["type"] == kind)


def test_the_tools_of_a_declared_server_are_listed_once():
    one = Lab(script=scripted(), tools=[FREE])
    one.run(1)
    listed = item_of(one.events, "mcp_list_tools")
    assert (listed["server_label"], [tool["name"] for tool in listed["tools"]]) == ("maps", ["route"])
    names = kinds(one.events)
    assert names[names.index("session.updated") :] == [
        "session.updated",
        "mcp_list_tools.in_progress",
        "conversation.item.created",
        "mcp_list_tools.completed",
    ]
    assert only(one.events, "mcp_list_tools.completed")["item_id"] == listed["id"]
    one.send("session.update", session={"tools": [FREE]})
    assert kinds(one.run(1)) == []


@pytest.mark.parametrize(("label", "why"), [("broken", "no such host"), ("elsewhere", "no MCP server 'elsewhere'")])
def test_a_server_that_cannot_list_its_tools_fails_alone(label, why):
    one = Lab(script=scripted(Call("route", server="maps")), tools=[FREE, {**MAPS, "server_label": label}])
    one.run(1)
    failed = only(one.events, "mcp_list_tools.failed")
    assert [e["item"]["server_label"] for e in one.events if e.get("item", {}).get("id") == failed["item_id"]] == [
        label
    ]
    assert only(one.events, "session.updated")["session"]["tools"][1]["server_label"] == label
    only(one.events, "mcp_list_tools.completed")
    assert [(kind, why in text) for kind, text, _ in one.notes if kind == "error"] == [("error", True)]


def test_a_call_without_approval_runs_and_its_result_is_in_the_item():
    one = lab(ROUTE)
    asked = one.type("How far?") + one.run(0.45)
    assert kinds(asked)[-3:] == ["response.mcp_call_arguments.done", "response.mcp_call.in_progress", "response.done"]
    arguments = only(asked, "response.mcp_call_arguments.done")
    assert (arguments["arguments"], "call_id" in arguments) == ('{"to":"Bern"}', False)
    later = one.finish()
    assert kinds(later) == ["response.mcp_call.completed", "response.output_item.done"]
    item = later[-1]["item"]
    assert (item["type"], item["output"], item["error"], item["status"]) == ("mcp_call", "98 km", None, "completed")
    assert later[-1]["response_id"] == only(asked, "response.done")["response"]["id"]
    one.send("response.create")
    assert only(one.finish(), "response.text.done")["text"] == "It is 98 km."


def test_the_result_of_a_call_is_not_asked_about_twice():
    one = lab(ROUTE)
    one.type("How far?")
    one.finish()
    one.send("response.create")
    one.finish()
    one.type("And back?")
    assert only(one.finish(), "response.mcp_call.completed")


def test_a_failed_call_has_its_reason_and_reaches_the_log():
    one = lab(Call("route", server="maps", error="no road"))
    one.type("How far?")
    ended = one.finish()
    assert only(ended, "response.mcp_call.failed")["item_id"] == ended[-1]["item"]["id"]
    assert (ended[-1]["item"]["error"], ended[-1]["item"]["output"]) == ("no road", None)
    assert [text for kind, text, _ in one.notes if kind == "error"] == ["MCP call maps.route failed: no road"]
    one.send("response.create")
    assert only(one.finish(), "response.text.done")["text"] == "It is no road."


@pytest.mark.parametrize("approve", [True, False])
def test_a_call_with_an_approval_waits_for_it(approve):
    one = lab(ROUTE, tool=MAPS)
    one.type("How far?")
    asked = one.run(60)
    assert kinds(asked)[-2:] == ["conversation.item.created", "response.done"]
    request = item_of(asked, "mcp_approval_request")
    assert (request["server_label"], request["name"], request["arguments"]) == ("maps", "route", '{"to":"Bern"}')
    answer = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": approve}
    got = one.send("conversation.item.create", item=answer) + one.finish()
    assert item_of(got, "mcp_approval_response")["approve"] is approve
    item = only(got, "response.output_item.done")["item"]
    assert item["approval_request_id"] == request["id"]
    assert (item["output"], item["error"]) == (("98 km", None) if approve else (None, REFUSED))
    again = error_of(one.send("conversation.item.create", item=answer))
    assert again["code"] == "invalid_approval_request_id"


def test_an_approval_goes_on_while_another_answer_is_given():
    one = lab(ROUTE, tool=MAPS)
    one.type("How far?")
    request = item_of(one.run(60), "mcp_approval_request")
    one.type("What is your name?")
    answer = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
    one.send("conversation.item.create", item=answer)
    only(one.finish(), "response.mcp_call.completed")


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        (None, True),
        ("always", True),
        ("never", False),
        ({"never": ["route"]}, False),
        ({"always": ["route"]}, True),
        ({"never": ["traffic"]}, True),
        ({"never": 5}, True),
    ],
)
def test_which_calls_need_an_approval(rule, needed):
    assert needs_approval(rule, "route") is needed


@pytest.mark.parametrize(
    "tool",
    [
        {**FREE, "server_label": "elsewhere"},
        {**FREE, "allowed_tools": ["traffic"]},
        {"type": "function", "name": "route"},
    ],
)
def test_only_a_listed_and_allowed_tool_is_called(tool):
    one = lab(ROUTE, tool=tool)
    one.type("How far?")
    assert "response.text.done" in kinds(one.finish())
    assert not any("mcp" in kind for kind in kinds(one.events))


def test_a_call_that_was_cancelled_before_its_arguments_were_complete_never_runs():
    one = lab(Call("route", {"to": "B" * 400}, server="maps"))
    one.type("How far?")
    one.run(0.4)
    ended = one.send("response.cancel") + one.finish()
    assert only(ended, "response.output_item.done")["item"]["status"] == "incomplete"
    assert not any(kind.startswith("response.mcp_call.") for kind in kinds(one.events))


def test_the_example_plays_every_case():
    one = Lab(
        script=load(shipped()["mcp"]),
        tools=[{**FREE, "server_label": label} for label in ("maps", "docs", "broken")],
        modalities=["text"],
    )
    one.run(1)
    only(one.events, "mcp_list_tools.failed")
    ends = {}
    for words in ("the documents", "the traffic", "both", "how far"):
        one.type(words)
        ends[words] = [kind for kind in kinds(one.finish()) if kind.startswith("response.mcp_call.")]
        one.send("response.create")
        assert only(one.finish(), "response.text.done")["text"].startswith("The server says: ")
    assert "response.mcp_call.failed" in ends["the traffic"]
    assert all("response.mcp_call.completed" in kinds for words, kinds in ends.items() if words != "the traffic")


# ---- interim responses


INTERIM = {"type": "static_interim_response", "texts": ["Just a moment.", "Hold on."]}


def spoken(events):
    return [e["transcript"] for e in events if e["type"] == "response.audio_transcript.done"]


def test_a_slow_answer_is_bridged_by_an_interim_response():
    script = Script(delay_ms=4000, reply=(Reply(say="Here it is."),))
    one = Lab("gpt-4.1", script=script, interim_response={**INTERIM, "latency_threshold_ms": 1000})
    begin = one.now
    one.type("Please.")
    got = one.finish()
    assert spoken(got) == ["Hold on.", "Here it is."]
    first = next(e for e in got if e["type"] == "response.audio.delta")
    last = [e for e in got if e["type"] == "response.audio.delta"][-1]
    assert first["at"] - begin == pytest.approx(1.0, abs=0.05)
    assert last["at"] - begin >= 4.0
    done = only(got, "response.done")["response"]
    assert [item["content"][0]["transcript"] for item in done["output"]] == ["Hold on.", "Here it is."]


def test_a_quick_answer_has_no_interim_response():
    one = Lab("gpt-4.1", script=Script(reply=(Reply(say="Here."),)), interim_response=INTERIM)
    one.type("Please.")
    assert spoken(one.finish()) == ["Here."]


def test_a_call_of_a_tool_is_bridged_if_that_is_a_trigger():
    rule = {"type": "llm_interim_response", "triggers": ["tool"], "model": "gpt-4.1-mini"}
    one = Lab("gpt-4.1", script=scripted(ROUTE), tools=[FREE], interim_response=rule)
    one.run(1)
    one.type("How far?")
    got = one.finish()
    assert spoken(got) == ["One moment, please."]
    only(got, "response.mcp_call.completed")


def test_a_native_model_reports_the_interim_response_and_takes_the_rest():
    one = Lab()
    got = one.send("session.update", session={"interim_response": INTERIM, "instructions": "Be brief."})
    assert kinds(got) == ["session.updated", "error"]
    assert got[0]["session"]["instructions"] == "Be brief."
    assert "interim_response" not in got[0]["session"]
    assert "interim response" in error_of(got)["message"]


def test_an_interrupted_interim_response_ends_the_answer():
    script = Script(delay_ms=4000, speed=1, reply=(Reply(say="Here it is."),))
    one = Lab("gpt-4.1", script=script, interim_response={**INTERIM, "latency_threshold_ms": 1000})
    one.type("Please.")
    one.run(1.3)
    ended = one.send("response.cancel") + one.finish()
    assert only(ended, "response.done")["response"]["status"] == "cancelled"
    assert len(only(ended, "response.done")["response"]["output"]) == 1
    assert "response.audio.delta" not in kinds(ended)
