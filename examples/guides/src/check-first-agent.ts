import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Stage } from './stage.ts';

/** Asks the program of the page, also while it is not running. */
export async function checkFirstAgent({ platform, operator, folder, program }: Stage): Promise<void> {
  const { id, authToken } = await operator.createWorkspace({ name: 'counter' });
  const environment = {
    MOLECULE_PLATFORM_URL: platform.url,
    MOLECULE_WORKSPACE_ID: id,
    MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
    MOLECULE_STATE_DIR: join(folder, 'counter'),
  };
  const queued = await operator.sendMessage(id, 'are you there', { timeoutMs: 1_000 });
  assert.equal(queued.status, 'queued');
  program('first-agent', environment);
  assert.equal((await operator.waitForAnswer(id, queued.messageId)).text, 'words: 3');
  assert.equal((await operator.sendMessage(id, 'one two')).text, 'words: 2');
  console.log('✓ first agent: it answers, also what was sent before it ran');
}
