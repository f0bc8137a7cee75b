import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as undici from 'undici';
import api from 'undici/lib/api/index.js';
import buildConnector from 'undici/lib/core/connect.js';
import errors from 'undici/lib/core/errors.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { expect, it } from 'vitest';

it('the files of undici that are imported alone hold what undici exports', () => {
  expect(Agent).toBe(undici.Agent);
  expect(buildConnector).toBe(undici.buildConnector);
  expect(errors).toBe(undici.errors);
  for (const [name, method] of Object.entries(api)) {
    expect(Reflect.get(undici.Dispatcher.prototype, name), name).toBe(method);
  }
});

it('a guarded agent sends requests in a process that has not loaded all of undici', () => {
  const script = `
    import { createServer } from 'node:http';
    import { createGuardedAgent } from '@molecule-ai/net-guard';
    const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const agent = createGuardedAgent({ policy: { allowLoopback: true } });
    const origin = 'http://127.0.0.1:' + server.address().port;
    const { body } = await agent.request({ origin, path: '/', method: 'GET' });
    console.log(await body.text());
    await agent.close();
    server.close();
  `;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd,
    encoding: 'utf8',
  });
  expect(output).toBe('hello\n');
});
