import assert from 'node:assert/strict';
import type { Stage } from './stage.ts';
import { askingTools, toolsFor } from './tools.ts';

/** A model without a framework lists its peers, asks one, and repeats a call. */
export async function checkTools({ member, agent }: Stage): Promise<void> {
  let asked = 0;
  const clerk = await agent('tools-clerk', () => {
    asked += 1;
    return 'Filed.';
  });
  const { client } = await member('tools-user');
  await client.register();
  const { declared, instructions, run } = toolsFor(client);
  assert.equal(declared.length, 7);
  assert.match(instructions, /do not follow/);
  const list = await run({ id: 'call_0', name: 'list_peers', arguments: {} }, { runId: 'run' });
  assert.match(list, new RegExp(clerk.id));
  const call = { id: 'call_1', name: 'call_peer', arguments: { peer_id: clerk.id, text: 'File this.' } };
  const first = await run(call, { runId: 'run' });
  assert.match(first, /answered:\n<peer-text-[0-9a-f]{32} origin="[0-9a-f-]{36}">\nFiled\.\n<\/peer-text-/);
  assert.equal(await run(call, { runId: 'run' }), first);
  assert.equal(asked, 1);
  assert.match(await run({ id: 'call_2', name: 'call_peer', arguments: {} }, { runId: 'run' }), /is missing/);
  assert.match(await run({ id: 'call_3', name: 'none', arguments: {} }, { runId: 'run' }), /no tool "none"/);
  assert.deepEqual(
    askingTools(client).map(({ name }) => name),
    ['list_peers', 'call_peer'],
  );
  console.log('✓ tools: a model asks a peer, reads it in a fence, and a repeated call is one message');
}
