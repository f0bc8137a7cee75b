import type { PeerReply } from '@molecule-ai/core/operator';
import type { WithAgents } from './context.ts';
import { showMessage, untilDelivery } from './evidence.ts';

/** Of a message to a working agent; longer is as good as never here. */
const ANSWER_WITHIN_MS = 4_000;
const WHILE_IT_CLOSES = ['Is the pager quiet?', 'Are there open incidents?'];

/** The server of ops-desk goes away while messages come, and comes back: they take the other way, and none is lost. */
export async function closeTheServer(context: WithAgents): Promise<void> {
  const { run, operator, desk } = context;
  run.timeline.step('4  ops-desk is pushed to; its server goes away, and comes back');
  await checkPush(context, 'pushed', 'Who is on call?');

  desk.process.signal('SIGUSR2');
  const sending = Promise.all(WHILE_IT_CLOSES.map((text) => send(context, text)));
  sending.catch(() => {});
  const isSwitched = await untilDelivery(context, desk, 'long-poll');
  // Who sends while a push fails learns at once that the message is queued, and gets the answer later.
  const atOnce = [...(await sending), await send(context, 'And now?')];
  const replies = await Promise.all(atOnce.map((reply) => waitForAnswer(context, reply)));
  for (const reply of replies) showMessage(context, desk, reply);
  const { deliveryMode } = await operator.getWorkspace(desk.id, { signal: run.deadline.signal });
  const pushes = await countPushes(context, replies.at(-1));
  const handled = replies.map(({ messageId }) => countHandled(context, messageId));
  const isAnswered = replies.every(({ status }) => status === 'answered');
  run.checks.record(
    'long-polled',
    isSwitched &&
      deliveryMode === 'poll' &&
      pushes === 0 &&
      isAnswered &&
      handled.every((count) => count === 1),
    () =>
      `it is ${deliveryMode}, the last message was pushed ${pushes}×; ${replies.map(({ status }, index) => `${status}, handled ${handled[index]}×`).join('; ')}`,
  );

  desk.process.signal('SIGUSR2');
  await untilDelivery(context, desk, 'push');
  await checkPush(context, 'pushed-again', 'Is the pager still quiet?');
}

async function checkPush(context: WithAgents, name: 'pushed' | 'pushed-again', text: string): Promise<void> {
  const { run, desk } = context;
  const reply = await send(context, text);
  const pushes = await countPushes(context, reply);
  run.timeline.line(
    'message',
    desk.name,
    `${reply.messageId} of the user is ${reply.status}, pushed ${pushes}×`,
  );
  const handled = countHandled(context, reply.messageId);
  run.checks.record(
    name,
    reply.status === 'answered' && pushes === 1 && handled === 1,
    () => `${reply.status}, pushed ${pushes}×, handled ${handled}×`,
  );
}

function send({ run, operator, desk }: WithAgents, text: string): Promise<PeerReply> {
  const { deadline } = run;
  const limits = { signal: deadline.signal, timeoutMs: ANSWER_WITHIN_MS };
  return deadline.waitFor('ops-desk to answer the user', operator.sendMessage(desk.id, text, limits));
}

function waitForAnswer({ run, operator, desk }: WithAgents, { messageId }: PeerReply): Promise<PeerReply> {
  const limits = { signal: run.deadline.signal, timeoutMs: ANSWER_WITHIN_MS };
  return run.deadline.waitFor('the answers', operator.waitForAnswer(desk.id, messageId, limits));
}

function countHandled({ desk }: WithAgents, id: string): number {
  return desk.logged('handling').filter(({ messageId }) => messageId === id).length;
}

/** How often the platform has tried to push a message, by its record of it: never, if the agent read it. */
async function countPushes(
  { run, platform, desk }: WithAgents,
  reply: PeerReply | undefined,
): Promise<unknown> {
  const response = await fetch(`${platform.url}/workspaces/${desk.id}/messages/${reply?.messageId}`, {
    headers: { authorization: `Bearer ${platform.operatorKey}` },
    signal: run.deadline.signal,
  });
  return ((await response.json()) as { attempts?: number }).attempts;
}
