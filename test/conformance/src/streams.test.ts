import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { onboard } from './harness/members.ts';
import { StreamClient } from './harness/streams.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { allowAgentNetworks: ['127.0.0.0/8'] };
const MARKED = (text: string) => `[A2A_RESULT_FROM_PEER]${text}[/A2A_RESULT_FROM_PEER]`;

onEachDatabase('streams', (environment) => {
  verifies('stream.events', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('Hello back!') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, target, 'hi', { messageId: 'm-1' });
    expect(stream.status).toBe(200);
    console.log(JSON.stringify(await stream.all(), null, 1), stream.headers);
  });
});
