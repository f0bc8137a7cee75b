/** What a program without the client does: checks URLs, writes requests strictly, reads responses tolerantly. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fetchFrom } from './guarded-fetch.ts';
import { readAnswer, readHeartbeat, writeHeartbeat } from './shapes.ts';

const id = '0b6f0c3e-1d5a-4c1b-9a51-6f2f1b8f0a01';
assert.deepEqual(writeHeartbeat(id), { workspace_id: id, active_tasks: 1 });
assert.equal(readHeartbeat({ workspace_id: id, invented_by_others: true }).workspace_id, id);
console.log('✓ strict when writing, tolerant when reading');

const answer = readAnswer({
  result: '[A2A_RESULT_FROM_PEER]It is fixed.[/A2A_RESULT_FROM_PEER]',
});
assert.equal(answer, 'It is fixed.');
console.log('✓ a peer’s text without marks for people');

const server = createServer((_request, response) => response.end('here')).listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
assert.equal(await fetchFrom(url, { allowedNetworks: ['127.0.0.0/8'] }), 200);
await assert.rejects(fetchFrom(url, {}), /127\.0\.0\.1/);
server.close();
console.log('✓ an address is reached only where the policy allows it');
