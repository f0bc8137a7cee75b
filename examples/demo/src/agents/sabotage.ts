import { text } from 'node:stream/consumers';
import type { HandlerAnswer, MessageHandler, RemoteAgentOptions } from '@molecule-ai/core';

const sabotage = process.env.DEMO_SABOTAGE;

// `--break=keep-alive`: whatever the agent does, its process stays.
if (sabotage === 'keep-alive') setInterval(() => {}, 60_000);

/** The handler itself, unless the demo was asked to break it. */
export function sabotaged(handle: MessageHandler): MessageHandler {
  return async (message, context) => {
    try {
      if (sabotage === 'drop-reply' && message.peerName === 'release-lead') {
        await handle(message, { ...context, stream: async () => {} });
        return undefined;
      }
      const answer = await handle(message, context);
      if (sabotage === 'at-once' && isIterable(answer)) return await text(answer);
      return sabotage === 'double' ? handle(message, context) : answer;
    } catch (error) {
      if (sabotage !== 'hide-failure') throw error;
      return undefined;
    }
  };
}

function isIterable(answer: HandlerAnswer): answer is AsyncIterable<string> {
  return typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer;
}

/** `--break=push-only`: nothing is read while nothing can be pushed. */
export function deliverySabotaged(delivery: RemoteAgentOptions['delivery']): RemoteAgentOptions['delivery'] {
  return sabotage === 'push-only' ? 'push' : delivery;
}

/** `--break=no-server`: at the URL that the agent reports is nothing. */
export function portSabotaged(port: number): number {
  return sabotage === 'no-server' ? 0 : port;
}
