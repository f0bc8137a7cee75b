import os

from molecule_agent import RemoteAgentClient

client = RemoteAgentClient(
    workspace_id=os.environ["WORKSPACE_ID"],
    platform_url=os.environ["PLATFORM_URL"],
    agent_card={"name": "counter"},
)
client.register()


def on_message(message, client):
    return f"words: {len(message.text.split())}"


print("loop ended:", client.run_agent_loop(on_message))
