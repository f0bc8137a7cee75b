import { type JsonObject, StreamEvents, viewMessage } from '@molecule-ai/protocol';
import type { AgentEvents, AgentRequest, ScriptedAgent } from '@molecule-tests/harness';
import { type Member, onboard } from './members.ts';
import type { RunningPlatform } from './running-platform.ts';
import type { TestEnvironment } from './test-environment.ts';

const AT = '2026-11-22T12:00:00.000Z';

/** One request to the agent, and the response that the test writes. */
export interface AgentStream {
  readonly request: AgentRequest;
  readonly out: AgentEvents;
  /** Makes the results of an agent of ours. */
  readonly events: StreamEvents;
}

/** An agent with a server whose card says that it streams, and whose responses the test writes. */
export interface StreamingAgent extends Member {
  readonly server: ScriptedAgent;
  /** Resolves with the n-th response, counted from 1, once its request has arrived. */
  stream(number: number): Promise<AgentStream>;
}

export async function startStreamingAgent(
  environment: TestEnvironment,
  platform: RunningPlatform,
): Promise<StreamingAgent> {
  const streams: AgentStream[] = [];
  const waiting = new Set<() => void>();
  const server = await environment.scriptedAgent({
    script: (request) => ({
      kind: 'events',
      write: (out) => {
        const { messageId, contextId } = viewMessage(request.body as JsonObject);
        const message = { taskId: `task-of-${messageId}`, messageId, contextId, answerId: `re-${messageId}` };
        streams.push({ request, out, events: new StreamEvents(message) });
        for (const wake of [...waiting]) wake();
      },
    }),
  });
  const card = { name: 'streaming', capabilities: { streaming: true } };
  const member = await onboard(platform, { name: 'streaming', url: server.url, card });
  return {
    ...member,
    server,
    stream: (number) =>
      new Promise((resolve) => {
        const check = () => {
          const stream = streams[number - 1];
          if (stream === undefined) return;
          waiting.delete(check);
          resolve(stream);
        };
        waiting.add(check);
        check();
      }),
  };
}

/** Writes a whole answer of an agent of ours. */
export function writeAnswer({ out, events }: AgentStream, pieces: readonly string[]): void {
  out.send(events.task('delivered', AT));
  for (const piece of pieces) out.send(events.text(piece));
  out.send(events.end({ state: 'answered', at: AT }));
  out.end();
}

export function endAnswer({ out, events }: AgentStream): void {
  out.send(events.end({ state: 'answered', at: AT }));
  out.end();
}
