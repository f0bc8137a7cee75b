"""The client of docs/with-an-a2a-sdk.md, with a2a-sdk 1.3.0."""

# #region client
import asyncio
import os
import sys
import uuid

import httpx
from a2a.client import ClientConfig, create_client
from a2a.helpers.proto_helpers import get_artifact_text, new_text_part
from a2a.types import Message, Role, SendMessageRequest, TaskState


async def print_refusal(response):
    """The SDK's error has only the status; the body says why."""
    if response.is_error:
        await response.aread()
        print(response.text, file=sys.stderr)


async def main():
    headers = {'Authorization': 'Bearer ' + os.environ['MOLECULE_WORKSPACE_TOKEN']}
    hooks = {'response': [print_refusal]}
    async with httpx.AsyncClient(headers=headers, timeout=60, event_hooks=hooks) as http:
        # https://<platform>/workspaces/<id>/a2a
        client = await create_client(os.environ['AGENT_URL'], ClientConfig(httpx_client=http))
        message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[new_text_part('hello')])
        async for event in client.send_message(SendMessageRequest(message=message)):
            # The card offers streams: a task, the text in pieces, and how the message ended.
            if event.HasField('artifact_update'):
                print(get_artifact_text(event.artifact_update.artifact), end='', flush=True)
            if event.HasField('status_update'):
                print(f' [{TaskState.Name(event.status_update.status.state)}]')


asyncio.run(main())
# #endregion client
