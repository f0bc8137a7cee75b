"""A client built with a2a-sdk 0.3.26."""

import asyncio
import uuid

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.client.middleware import ClientCallContext
from a2a.types import (
    AgentCard,
    Message,
    Part,
    Role,
    TaskIdParams,
    TaskQueryParams,
    TextPart,
)
from a2a.utils import get_message_text
from a2a.utils.artifact import get_artifact_text

from calling import given_headers, message_outcome, serve_client, task_outcome


def to_outcome(result):
    if isinstance(result, Message):
        return message_outcome(get_message_text(result), result.context_id)
    made = '\n'.join(get_artifact_text(artifact) for artifact in result.artifacts or [])
    said = get_message_text(result.status.message) if result.status.message else ''
    return task_outcome(result.id, result.context_id, result.status.state.value, made, said)


def code_of(error):
    return getattr(getattr(error, 'error', None), 'code', None)


def connect(url, card):
    http = httpx.AsyncClient(headers=given_headers(), timeout=60)
    return ClientFactory.connect(url if card is None else AgentCard(**card), ClientConfig(httpx_client=http))


async def run(client, operation):
    op = operation['op']
    if op == 'get':
        return to_outcome(await client.get_task(TaskQueryParams(id=operation['id'])))
    if op == 'cancel':
        return to_outcome(await client.cancel_task(TaskIdParams(id=operation['id'])))
    message = Message(
        message_id=str(uuid.uuid4()),
        role=Role.user,
        parts=[Part(root=TextPart(text=operation['text']))],
        task_id=operation.get('taskId'),
        context_id=operation.get('contextId'),
    )
    parameters = {'headers': {'X-Timeout': str(operation['hold'])}} if 'hold' in operation else {}
    context = ClientCallContext(state={'http_kwargs': parameters})
    # Streams by itself where the card offers it.
    async for event in client.send_message(message, context=context):
        return to_outcome(event if isinstance(event, Message) else event[0])


asyncio.run(serve_client(connect, run, code_of))
