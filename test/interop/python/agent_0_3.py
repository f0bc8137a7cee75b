"""An agent built with a2a-sdk 0.3.26."""

import asyncio

from a2a.server.agent_execution import AgentExecutor
from a2a.server.apps import A2AStarletteApplication
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, Part, TaskState, TextPart
from a2a.utils import new_agent_text_message, new_task

from serving import free_socket, serve, write_line


def text(value):
    return [Part(root=TextPart(text=value))]


class Executor(AgentExecutor):
    async def execute(self, context, event_queue):
        said = context.get_user_input()
        write_line({'ran': said})
        task = context.current_task
        if task is None and said not in ('task', 'ask', 'fail', 'wait'):
            await event_queue.enqueue_event(new_agent_text_message(f'You said: {said}', context.context_id))
            return
        is_new = task is None
        if is_new:
            task = new_task(context.message)
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        if not is_new or said == 'task':
            await updater.add_artifact(text('Done: task' if is_new else f'Painted: {said}'))
            await updater.complete()
        elif said == 'fail':
            await updater.failed(updater.new_agent_message(text('Disk full')))
        elif said == 'ask':
            await updater.requires_input(updater.new_agent_message(text('Which colour?')), final=True)
        else:
            await updater.update_status(TaskState.working)
            await asyncio.Event().wait()

    async def cancel(self, context, event_queue):
        write_line({'canceled': context.task_id})
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


socket, url = free_socket()
card = AgentCard(
    name='py-0.3',
    description='An agent of the interop tests',
    version='1.0.0',
    url=url,
    capabilities=AgentCapabilities(streaming=False),
    default_input_modes=['text/plain'],
    default_output_modes=['text/plain'],
    skills=[],
)
handler = DefaultRequestHandler(agent_executor=Executor(), task_store=InMemoryTaskStore())
app = A2AStarletteApplication(agent_card=card, http_handler=handler).build(rpc_url='/a2a')
serve(app, socket, {'url': url, 'card': card.model_dump(mode='json', by_alias=True, exclude_none=True)})
