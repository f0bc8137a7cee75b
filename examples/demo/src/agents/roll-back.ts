/** The part of ops-desk that needs no model: it rolls production back, to a release that it has, when the user agrees. */
import {
  type HandlerAnswer,
  type InboundMessage,
  MessageFailure,
  type QuestionsAnswered,
} from '@molecule-ai/core';
import { log } from './log.ts';

const RELEASES: readonly string[] = ['4.1'];
const YES = 'Yes, go ahead.';

/** Orders, and what senders say about them. */
export function isRollBack({ text }: InboundMessage): boolean {
  return text.startsWith('Roll production back') || text === YES;
}

/** What somebody decided. */
export function rollBackIfApproved({ questions: [approval] }: QuestionsAnswered): HandlerAnswer {
  return approval?.decision === 'approve' ? act(releaseIn(approval.text), approval.by) : 'Nothing changed.';
}

/** @throws MessageFailure when it cannot be done: trying again would not help. */
export function rollBack({ text }: InboundMessage): HandlerAnswer {
  if (text === YES) {
    // `--break=obey-peer`. Who wrote this caused the roll-back, and may have been talked into it.
    if (process.env.DEMO_SABOTAGE === 'obey-peer') return act('4.1', 'sender');
    return 'Only the user can approve that.';
  }
  const release = releaseIn(text);
  if (!RELEASES.includes(release)) {
    throw new MessageFailure(`There is no release ${release} any more.`, { code: 'no_such_release' });
  }
  const question = `Roll production back to release ${release}?`;
  return { questions: [{ kind: 'approval', text: question, from: 'user' }] };
}

function act(release: string, approvedBy: string): string {
  log('rolled-back', { release, approvedBy });
  return `Production runs release ${release} again.`;
}

function releaseIn(text: string): string {
  return /\d+\.\d+/.exec(text)?.[0] ?? '';
}
