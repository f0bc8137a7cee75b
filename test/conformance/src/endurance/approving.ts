import { setTimeout as sleep } from 'node:timers/promises';
import type { Organisation } from './organisation.ts';

const LOOK_EVERY_MS = 300;

/** Approves what the agents ask the user, until `signal` aborts. */
export async function approveAll(
  { operator, targetIds }: Organisation,
  onApproved: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const id of Object.values(targetIds)) {
      try {
        for (const question of await operator.listQuestions(id, { state: 'open', signal })) {
          if (question.kind !== 'approval') continue;
          await operator.answerQuestion(id, question.id, { decision: 'approve' }, { signal });
          onApproved();
        }
      } catch {
        // The platform is down just now; the question is still open.
      }
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}
