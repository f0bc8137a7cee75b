import { test } from 'node:test';
import { expectAnswered, expectStatus, scriptedPeer } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';

test('a peer answers once, and then says nothing', async () => {
  await using platform = await createTestPlatform();
  await using asking = await scriptedPeer(platform);
  await using asked = await scriptedPeer(platform, { script: ['Yes.', null] });
  expectAnswered(await asking.client.callPeer(asked.id, 'Is it open?'), 'Yes.');
  const second = asking.client.callPeer(asked.id, 'Why?');
  expectStatus(await platform.clock.advanceUntilSettled(second), 'unanswered');
});
