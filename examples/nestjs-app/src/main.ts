/** Starts a platform and the application as a process of its own, on Express and on Fastify, and checks what is promised. */
import {
  checkHealth,
  checkMessages,
  checkPeerOfRest,
  checkRest,
  checkShutdown,
  checkStreams,
  checkTasks,
} from './checks.ts';
import { openStage } from './stage.ts';
import { Supplier } from './supplier.ts';

for (const adapter of ['express', 'fastify']) {
  console.log(`\n${adapter}:`);
  await using ends = new AsyncDisposableStack();
  const supplier = new Supplier();
  const stage = await openStage(ends, `--${adapter}`, supplier.answer);
  const application = await stage.start();
  await checkRest(application);
  await checkMessages(stage);
  await checkTasks(stage);
  await checkStreams(stage, application);
  await checkPeerOfRest(stage, application);
  await application.untilHealth(200);
  await checkShutdown(stage, application, supplier);
  if (adapter === 'express') await checkHealth(stage, await stage.start());
}
