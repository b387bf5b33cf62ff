from __future__ import annotations

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from leadline import AsyncLeadline, Report
from leadline.integrations.langchain import research_tool
from own_engine import QUESTION


async def test_an_agents_graph_calls_it(lead: AsyncLeadline) -> None:
    async with lead:
        tool = research_tool(lead)
        graph = StateGraph(MessagesState)
        graph.add_node("tools", ToolNode([tool]))
        graph.set_entry_point("tools")
        graph.set_finish_point("tools")
        call = {"name": tool.name, "args": {"question": QUESTION}, "id": "1", "type": "tool_call"}
        empty = {**call, "args": {"question": " "}, "id": "2"}
        message = AIMessage(content="", tool_calls=[call, empty])
        outcome = await graph.compile().ainvoke({"messages": [message]})
    answered, refused = outcome["messages"][-2:]
    assert isinstance(answered, ToolMessage)
    assert "opened in 1902" in answered.content
    assert isinstance(answered.artifact, Report)
    assert "question is empty" in refused.content
