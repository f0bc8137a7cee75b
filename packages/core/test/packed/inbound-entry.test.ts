import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, it } from 'vitest';

const entry = fileURLToPath(new URL('../../dist/inbound.js', import.meta.url));

it('the built inbound entry runs where there is nothing of Node', async () => {
  // An import of a module of Node, or of undici, fails the build.
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'neutral',
    conditions: ['import'],
    format: 'iife',
    globalName: 'entry',
    metafile: true,
    logLevel: 'silent',
  });
  expect(Object.keys(metafile.inputs).filter((file) => /undici|jose/.test(file))).toEqual([]);
  const globals = {
    Request,
    Response,
    Headers,
    URL,
    TextDecoder,
    TextEncoder,
    AbortController,
    AbortSignal,
    ReadableStream,
    Uint8Array,
    JSON,
  };
  const context = createContext(
    { ...globals, path: '/a2a' },
    { codeGeneration: { strings: false, wasm: false } },
  );
  runInContext(`${outputFiles[0]?.text}; globalThis.entry = entry;`, context);
  const inbound = {
    attach: () => {},
    card: () => ({ name: 'bare' }),
    authenticate: async () => ({ kind: 'granted', caller: { use: 'push', subject: '' }, tokenId: '' }),
    receive: async ({ envelope }: { envelope: { params: { message: { messageId: string } } } }) => ({
      kind: 'ended',
      taskId: 't',
      messageId: envelope.params.message.messageId,
      contextId: '',
      end: { state: 'answered', at: '', answer: { messageId: 'a', text: 'from nowhere' }, error: null },
    }),
  };
  const steps = [{ kind: 'text', text: 'piece' }, { kind: 'silence' }, { kind: 'closed' }];
  const stream = {
    kind: 'stream',
    taskId: 't',
    messageId: 'm',
    contextId: '',
    answerId: 'a',
    at: '',
    stalled: new AbortController().signal,
    next: async () => steps.shift(),
    close: () => {},
  };
  Object.assign(context, { agent: { inbound: { ...inbound, stream: async () => stream } } });
  const script = `(async () => {
    if (typeof process !== 'undefined' || typeof require !== 'undefined') throw new Error('this is Node');
    const handler = entry.createInboundHandler(agent);
    const message = { messageId: 'm', parts: [{ text: 'hi' }] };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } });
    const response = await handler(new Request('https://agent.test' + path, { method: 'POST', body }));
    const asked = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'message/stream', params: { message } });
    const streamed = await handler(new Request('https://agent.test' + path, { method: 'POST', body: asked }));
    const card = await handler(new Request('https://agent.test/.well-known/agent-card.json'));
    return [await response.json(), await card.json(), await streamed.text()];
  })()`;
  expect(await runInContext(script, context)).toMatchObject([
    { id: 1, result: { kind: 'message', parts: [{ text: 'from nowhere' }] } },
    { name: 'bare' },
    expect.stringMatching(/^data: .*"task".*\n\ndata: .*"text":"piece".*\n\n: keep-alive\n\n$/),
  ]);
});

it('both builds of the inbound entry serve an agent of either', async () => {
  const { createRequire } = await import('node:module');
  const required = createRequire(import.meta.url)(
    '../../dist/cjs/inbound.js',
  ) as typeof import('../../src/inbound.ts');
  const imported = (await import(entry)) as typeof import('../../src/inbound.ts');
  for (const { createInboundHandler } of [required, imported]) {
    const handler = createInboundHandler({
      inbound: { attach: () => {}, card: () => ({ name: 'either' }) } as never,
    });
    const response = await handler(new Request('https://agent.test/.well-known/agent.json'));
    expect(await response.json()).toEqual({ name: 'either' });
  }
});
