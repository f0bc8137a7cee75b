import { createMolecule } from '@molecule-ai/ai-sdk';
import { RemoteAgentClient } from '@molecule-ai/core';
import { NoSuchModelError } from 'ai';
import { expect, it, vi } from 'vitest';
import { aiSdkDriver } from '../ai-sdk-driver.ts';
import { defineAdapterContract } from '../define-adapter-contract.ts';

const versionSix = vi.hoisted(() => {
  const installed = new URL('../../../consumers/node_modules/ai-6/dist/index.mjs', import.meta.url).href;
  return (): Promise<typeof import('ai')> => import(/* @vite-ignore */ installed);
});

// The driver and the adapter get version 6: what they import from it has to be in both.
vi.mock('ai', versionSix);

// Its page is that of version 7.
defineAdapterContract(aiSdkDriver);

it('the driver and the adapter have version 6', async () => {
  const six = await versionSix();
  expect(NoSuchModelError).toBe(six.NoSuchModelError);
  const client = new RemoteAgentClient({
    platformUrl: 'http://localhost:1',
    workspaceId: crypto.randomUUID(),
  });
  const error = (() => {
    try {
      return createMolecule({ client }).embeddingModel('any');
    } catch (thrown: unknown) {
      return thrown;
    }
  })();
  expect(Object(error).constructor).toBe(six.NoSuchModelError);
});
