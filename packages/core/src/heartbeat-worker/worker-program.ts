// Runs in the worker thread: scripts/embed-heartbeat-worker.mjs bundles it into worker-source.ts.
import { systemClock } from '../time/clock.ts';
import { RepeatedHeartbeats } from './repeated-heartbeats.ts';
import { sendHeartbeat } from './worker-exchange.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

const { parentPort } = process.getBuiltinModule('node:worker_threads');
const post = (message: FromWorker): void => parentPort?.postMessage(message);
const repeated = new RepeatedHeartbeats({
  clock: systemClock,
  send: (heartbeat, onEnd) => sendHeartbeat(systemClock, heartbeat, onEnd),
  post,
});

parentPort?.on('message', (message: ToWorker) => {
  repeated.mainResponded();
  switch (message.type) {
    case 'keep': {
      const { agent, exchange, heartbeat } = message;
      repeated.keep(agent, heartbeat);
      if (exchange !== null) repeated.send(agent, (end) => post({ type: 'ended', exchange, end }));
      break;
    }
    case 'authorize':
      repeated.authorize(message.agent, message.authorization);
      break;
    case 'forget':
      repeated.forget(message.agent);
      break;
    case 'pong':
      break;
  }
});
