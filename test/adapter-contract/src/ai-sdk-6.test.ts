import { createMolecule } from '@molecule-ai/ai-sdk';
import { RemoteAgentClient } from '@molecule-ai/core';
import { NoSuchModelError } from 'ai';
import { expect, it, vi } from 'vitest';
import { aiSdkDriver } from './ai-sdk-driver.ts';
import { defineAdapterContract } from './define-adapter-contract.ts';

// The driver and the adapter get version 6: what they import from it has to be in both.
vi.mock('ai', () => import('ai-6'));

defineAdapterContract({ ...aiSdkDriver, name: 'ai-sdk-6' });

it('the driver and the adapter have version 6', async () => {
  const six = await import('ai-6');
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
