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


async def last_of(events):
    """The message, or the task after all events."""
    last = None
    async for event in events:
        last = event if isinstance(event, Message) else event[0]
    return to_outcome(last)


async def connect(url, card):
    http = httpx.AsyncClient(headers=given_headers(), timeout=60)
    target = url if card is None else AgentCard(**card)
    # A client streams by itself where the card offers it.
    return {
        streams: await ClientFactory.connect(target, ClientConfig(httpx_client=http, streaming=streams))
        for streams in (False, True)
    }


async def run(clients, operation):
    op = operation['op']
    client = clients[op in ('stream', 'resubscribe')]
    if op == 'resubscribe':
        return await last_of(client.resubscribe(TaskIdParams(id=operation['id'])))
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
    return await last_of(client.send_message(message, context=context))


asyncio.run(serve_client(connect, run, code_of))
