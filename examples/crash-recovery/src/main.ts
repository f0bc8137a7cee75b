/** Kills an agent while it handles a message, writes to it while it is down, and starts it again. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { ProgramProcess } from '@molecule-tests/harness';

const folder = await mkdtemp(join(tmpdir(), 'molecule-crash-recovery-'));
const platform = await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: ':memory:' } });
const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
const { id, authToken } = await operator.createWorkspace({ name: 'worker' });
const startAgent = (HANG: string) =>
  new ProgramProcess({
    name: 'agent',
    program: fileURLToPath(new URL('./agent.js', import.meta.url)),
    folder,
    environment: {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: id,
      MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
      MOLECULE_STATE_DIR: join(folder, 'state'),
      HANG,
    },
  });
const processes: ProgramProcess[] = [];
try {
  const first = startAgent('yes');
  processes.push(first);
  await first.waitForEvent('online');
  const asked = operator.sendMessage(id, 'count the files', { messageId: 'm-1' });
  asked.catch(() => {});
  await first.waitForEvent('handling');
  await first.kill();
  const waiting = operator.sendMessage(id, 'count them again', { messageId: 'm-2' });
  waiting.catch(() => {});

  const second = startAgent('no');
  processes.push(second);
  for (const [messageId, text] of [
    ['m-1', 'done: count the files'],
    ['m-2', 'done: count them again'],
  ] as const) {
    assert.equal((await operator.waitForAnswer(id, messageId)).text, text);
  }
  console.log('✓ what it was handling and what was sent meanwhile was answered after the restart');
  await Promise.all([asked, waiting]);

  const handled = second.log.entriesOf('handling').map(({ text, attempt }) => `${text}, attempt ${attempt}`);
  assert.deepEqual(handled, ['count the files, attempt 2', 'count them again, attempt 1']);
  console.log('✓ in order, the interrupted one as its second attempt');

  const { rows } = await operator.listActivity(id, { direction: 'out' });
  assert.deepEqual(rows.map(({ text }) => text).sort(), ['done: count the files', 'done: count them again']);
  console.log('✓ each is answered once');
} finally {
  for (const started of processes) await started.kill();
  await operator.close();
  await platform.close();
  await rm(folder, { recursive: true, force: true });
}
