/** Two agents of one organisation in this process: the researcher asks the analyst, a person asks the researcher. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// #region operator
import { OperatorClient } from '@molecule-ai/core/operator';
// #endregion operator
import { createPlatform } from '@molecule-ai/platform';
import { runAnalyst } from './analyst.ts';
import { runResearcher } from './researcher.ts';

// Agents keep their state in ~/.molecule.
const home = await mkdtemp(join(tmpdir(), 'molecule-two-agents-'));
process.env.HOME = home;
const platform = await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: ':memory:' } });
const { url: platformUrl, operatorKey } = platform;
// #region operator
const operator = new OperatorClient({ platformUrl, operatorKey });
const { id, authToken } = await operator.createWorkspace({ name: 'researcher' });
// #endregion operator
assert.ok(authToken);
try {
  const analyst = await operator.createWorkspace({ name: 'analyst' });
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<string>();
  const model = {
    answer: async (prompt: string) => {
      onAsked(prompt);
      return 'A disk was full.';
    },
  };
  const { promise: started, resolve: onStarted } = Promise.withResolvers<void>();
  const analystEnded = runAnalyst(analyst.id, platformUrl, model, onStarted);
  await Promise.race([started, analystEnded]);

  const read: string[] = [];
  const stopping = new AbortController();
  const researcherEnded = runResearcher(id, platformUrl, read, stopping.signal);
  const question = await Promise.race([asked, researcherEnded]);
  // #region operator
  const reply = await operator.sendMessage(id, 'Good morning');
  // #endregion operator
  assert.equal(reply.text, 'echo: Good morning');
  console.log('✓ the researcher answers a person');
  assert.match(question, /<peer-text-\w+ .*>\nSummarise the incident\n<\/peer-text-/);
  assert.match(read[0] ?? '', /<peer-text-\w+ .*>\nA disk was full\.\n<\/peer-text-/);
  console.log('✓ it asked the analyst, and both models read the other agent inside a fence');
  assert.match(read[1] ?? '', /<peer-text-\w+ .*>\nA disk was full\.\n<\/peer-text-/);
  console.log('✓ it read a second answer as a stream');

  stopping.abort();
  assert.equal(await researcherEnded, 'stopped');
  process.kill(process.pid, 'SIGTERM');
  assert.equal(await analystEnded, 'stopped');
  console.log('✓ one was stopped by its signal, the other by SIGTERM');
} finally {
  await operator.close();
  await platform.close();
  await rm(home, { recursive: true, force: true });
}
