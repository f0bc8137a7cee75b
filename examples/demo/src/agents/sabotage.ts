import type { MessageHandler } from '@molecule-ai/core';

const sabotage = process.env.DEMO_SABOTAGE;

// `--break=keep-alive`: whatever the agent does, its process stays.
if (sabotage === 'keep-alive') setInterval(() => {}, 60_000);

/** The handler itself, unless the demo was asked to break it. */
export function sabotaged(handle: MessageHandler): MessageHandler {
  return async (message, context) => {
    try {
      const answer = await handle(message, context);
      if (sabotage === 'drop-reply' && message.peerName === 'release-lead') return undefined;
      return sabotage === 'double' ? handle(message, context) : answer;
    } catch (error) {
      if (sabotage !== 'hide-failure') throw error;
      return undefined;
    }
  };
}
