import { RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { expect } from 'vitest';
import type { Scenario } from './scenario.ts';
import { calling, saying } from './scripted-model.ts';

const MANY = 20;
/** More than any agent needs, and what it may cost when it does not end by itself. */
const MAX_MODEL_CALLS = 500;

/** What models, applications and networks get wrong. */
export const BAD_INPUT_SCENARIOS: readonly Scenario[] = [
  {
    id: 'wrong-arguments',
    about: 'wrong arguments are a result that says what to correct, and nothing is sent',
    run: async ({ client, driver, peer, settle }) => {
      const wrong = [
        { peer_id: 'nobody', text: 'hello' },
        { peer_id: '../../secrets', text: 'hello' },
        { peer_id: '', text: 'hello' },
        { peer_id: peer.id, text: '' },
        { peer_id: peer.id, text: ' \n' },
        { peer_id: peer.id, text: 7 },
        { peer_id: peer.id },
        { peer_id: peer.id, text: 'hello', loudly: true },
        { peer_id: peer.id, text: 'x'.repeat(100_001) },
        {},
      ];
      for (const args of wrong) {
        const result = await settle(driver.runTool({ client, name: 'call_peer', args }));
        expect(result, JSON.stringify(args).slice(0, 80)).toMatchObject({ isError: true });
        expect(result.text.length).toBeLessThan(500);
      }
      expect(peer.received).toEqual([]);
    },
  },
  {
    id: 'wrong-arguments-in-a-run',
    about: 'a model that writes wrong arguments reads what to correct, and goes on',
    run: async (stage) => {
      const { model, peer } = stage;
      model.script(
        calling('call_peer', { peer: peer.id }),
        calling('call_peer', { peer_id: peer.id, text: 'hello' }),
        saying('Done.'),
      );
      expect(await stage.ask('Ask.')).toMatchObject({ status: 'answered', text: 'Done.' });
      expect(model.prompts[1]?.messages.at(-1)?.text).toContain('`peer_id`');
      expect(peer.received).toHaveLength(1);
    },
  },
  {
    id: 'unknown-tool',
    about: 'a model that calls a tool which does not exist goes on, or the message fails',
    run: async (stage) => {
      stage.model.script(calling('call_nobody'), saying('Done.'));
      expect(['answered', 'failed']).toContain((await stage.ask('Ask.')).status);
    },
  },
  {
    id: 'closed-client',
    about: 'tools of a client that is closed or was never registered say so',
    run: async ({ driver, peer, platform, settle }) => {
      const workspace = await platform.createWorkspace('other');
      const args = { peer_id: peer.id, text: 'hello' };
      const client = new RemoteAgentClient({ ...platform, ...workspace, logger: silentLogger });
      const unregistered = await settle(driver.runTool({ client, name: 'call_peer', args }));
      expect(unregistered.text).not.toBe('');
      await client.close();
      const closed = await settle(driver.runTool({ client, name: 'call_peer', args }));
      expect(closed).toMatchObject({ isError: true, data: { code: 'client_closed' } });
    },
  },
  {
    id: 'platform-down',
    about: 'a platform that cannot be reached is a result; the run goes on',
    run: async (stage) => {
      const { gateway, model, peer } = stage;
      gateway.rules = [{ fault: 'drop', lost: 'connection', path: '/workspaces/*/a2a' }];
      model.script(calling('call_peer', { peer_id: peer.id, text: 'hello' }), saying('Without it.'));
      expect(await stage.ask('Ask.')).toMatchObject({ status: 'answered', text: 'Without it.' });
      expect(model.prompts[1]?.messages.at(-1)?.text).toContain('could not be reached');
      expect(peer.received).toEqual([]);
    },
  },
  {
    id: 'silent-peer',
    about: 'a peer that never answers holds a tool no longer than its time limit',
    run: async ({ client, driver, peer, platform, settle }) => {
      peer.script({ never: true });
      const before = platform.clock.monotonic();
      const args = { peer_id: peer.id, text: 'hello' };
      const result = await settle(driver.runTool({ client, name: 'call_peer', args, timeoutMs: 20_000 }));
      expect(result).toMatchObject({ isError: false, data: { status: 'queued' } });
      expect(platform.clock.monotonic() - before).toBeLessThan(30_000);
    },
  },
  {
    id: 'many-calls',
    about: 'twenty calls of one turn to one peer are twenty messages and twenty results',
    run: async (stage) => {
      const { model, peer } = stage;
      peer.script(({ text }) => `answer to ${text}`);
      const texts = Array.from({ length: MANY }, (_, index) => `question ${index}`);
      const toolCalls = texts.map((text) => {
        return { name: 'call_peer', args: { peer_id: peer.id, text, new_conversation: true } };
      });
      model.script({ toolCalls }, saying('Done.'));
      expect(await stage.ask('Ask.')).toMatchObject({ status: 'answered', text: 'Done.' });
      expect(peer.received.map(({ text }) => text).sort()).toEqual([...texts].sort());
      const results = model.prompts[1]?.messages.slice(-MANY).map(({ text }) => text) ?? [];
      for (const [place, text] of texts.entries()) expect(results[place]).toContain(`answer to ${text}\n`);
    },
  },
  {
    id: 'aborted-run',
    about: 'a run that is aborted before it begins sends nothing and rejects',
    run: async ({ client, driver, model, peer, setup, settle }) => {
      const signal = AbortSignal.abort(new Error('too late'));
      model.script(calling('call_peer', { peer_id: peer.id, text: 'hello' }), saying('Done.'));
      const run = settle(driver.runAgent(setup, 'Ask.', { threadId: 'a', signal }));
      await expect(run).rejects.toThrow();
      const args = { peer_id: peer.id, text: 'hello' };
      await expect(settle(driver.runTool({ client, name: 'call_peer', args, signal }))).rejects.toThrow();
      expect(peer.received).toEqual([]);
    },
  },
  {
    id: 'looping-model',
    about: 'a model that calls one tool again and again ends, and its message fails',
    run: async (stage) => {
      stage.model.script(() => calling('list_peers'));
      expect((await stage.ask('Ask.')).status).toBe('failed');
      expect(stage.model.prompts.length).toBeLessThan(MAX_MODEL_CALLS);
    },
  },
];
