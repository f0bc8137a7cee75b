/** The part of ops-desk that needs no model: it rolls production back, to a release that it has. */
import { type HandlerAnswer, type InboundMessage, MessageFailure } from '@molecule-ai/core';

const RELEASES: readonly string[] = ['4.1'];

export function isRollBack({ text }: InboundMessage): boolean {
  return text.startsWith('Roll production back');
}

/** @throws MessageFailure when it cannot be done: trying again would not help. */
export async function rollBack({ text }: InboundMessage): Promise<HandlerAnswer> {
  const release = /\d+\.\d+/.exec(text)?.[0] ?? '';
  if (!RELEASES.includes(release)) {
    throw new MessageFailure(`There is no release ${release} any more.`, { code: 'no_such_release' });
  }
  return `Production runs release ${release} again.`;
}
