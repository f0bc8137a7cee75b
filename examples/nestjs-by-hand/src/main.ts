/** Starts a platform in this process and the application beside it, and checks what is promised. */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { NestFactory } from '@nestjs/core';
import { OrderBook } from './order-book.ts';
import { orderModule } from './order-module.ts';

const EXIT_WITHIN_MS = 5_000;

const stateDirectory = await mkdtemp(join(tmpdir(), 'molecule-nest-'));
const platform = await createPlatform({ mode: 'dev', port: 0, memory: true });
const { url: platformUrl, operatorKey } = platform;
const operator = new OperatorClient({ platformUrl, operatorKey });
try {
  const { id } = await operator.createWorkspace({ name: 'orders' });
  const module = orderModule({ platformUrl, workspaceId: id, stateDirectory });
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });

  const answer = await operator.sendMessage(id, 'Where is order A-17?');
  assert.equal(answer.text, 'Order A-17 was shipped yesterday.');
  console.log('✓ a provider answered through the service it was given');

  // The next look-up takes until the door opens; the application closes while it waits.
  const door = new EventEmitter();
  app.get(OrderBook).find = async () => {
    const opened = once(door, 'open');
    door.emit('reached');
    await opened;
    return 'It has just arrived.';
  };
  const reached = once(door, 'reached');
  const late = operator.sendMessage(id, 'And where is A-17 now?');
  await reached;
  const closing = app.close();
  await setImmediate();
  door.emit('open');
  assert.equal((await late).text, 'It has just arrived.');
  console.log('✓ closing waited for the handler, and its answer arrived');
  await closing;
} finally {
  await operator.close();
  await platform.close();
  await rm(stateDirectory, { recursive: true, force: true });
}

// Unreferenced: it fires only if something else keeps the process alive.
const tooLate = () => {
  console.error(`✗ the process still lives after ${EXIT_WITHIN_MS} ms`);
  process.exit(1);
};
setTimeout(tooLate, EXIT_WITHIN_MS).unref();
process.once('exit', (code) => code === 0 && console.log('✓ the process ended by itself'));
