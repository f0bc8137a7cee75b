"""An agent built with a2a-sdk 1.3.0. `--compat` also accepts requests of A2A 0.3."""

import asyncio
import sys

from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette

from serving import free_socket, serve, write_line

COMPAT = '--compat' in sys.argv
VERSIONS = ['1.0', '0.3'] if COMPAT else ['1.0']


class Executor(AgentExecutor):
    async def execute(self, context, event_queue):
        said = context.get_user_input()
        write_line({'ran': said})
        task = context.current_task
        if task is None and said not in ('task', 'ask', 'fail', 'wait'):
            await event_queue.enqueue_event(new_text_message(f'You said: {said}', context_id=context.context_id))
            return
        is_new = task is None
        if is_new:
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        if not is_new or said == 'task':
            made = 'Done: task' if is_new else f'Painted: {said}'
            await updater.add_artifact([new_text_part(made)])
            await updater.complete()
        elif said == 'fail':
            await updater.failed(updater.new_agent_message([new_text_part('Disk full')]))
        elif said == 'ask':
            await updater.requires_input(updater.new_agent_message([new_text_part('Which colour?')]))
        else:
            await updater.start_work()
            await asyncio.Event().wait()

    async def cancel(self, context, event_queue):
        write_line({'canceled': context.task_id})
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


socket, url = free_socket()
card = AgentCard(
    name='py-1.0',
    description='An agent of the interop tests',
    version='1.0.0',
    supported_interfaces=[
        AgentInterface(url=url, protocol_binding='JSONRPC', protocol_version=version) for version in VERSIONS
    ],
    capabilities=AgentCapabilities(streaming=False),
    default_input_modes=['text/plain'],
    default_output_modes=['text/plain'],
)
handler = DefaultRequestHandler(Executor(), InMemoryTaskStore(), card)
app = Starlette(routes=create_jsonrpc_routes(handler, '/a2a', enable_v0_3_compat=COMPAT))
serve(app, socket, {'url': url, 'card': MessageToDict(card)})
