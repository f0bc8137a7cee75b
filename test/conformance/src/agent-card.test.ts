import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { createMember, envelope, type Member, onboard } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const PLACES = [
  '/a2a/.well-known/agent-card.json',
  '/a2a/.well-known/agent.json',
  '/.well-known/agent-card.json',
  '/.well-known/agent.json',
];
const URL_OF_AGENT = 'https://agent.example.com/rpc';

const cardOf = async (reader: Member, target: Member, place = PLACES[0]) =>
  (await reader.caller.get(`/workspaces/${target.id}${place}`)).body;

onEachDatabase('agent card', (environment) => {
  verifies('card.base-url', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform, { name: 'polls' })];
    const url = `${platform.url}/workspaces/${target.id}/a2a`;
    for (const place of PLACES) {
      expect(await cardOf(caller, target, place)).toMatchObject({
        name: 'polls',
        url,
        preferredTransport: 'JSONRPC',
        protocolVersion: '0.3.0',
        supportedInterfaces: [
          { url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
          { url, protocolBinding: 'JSONRPC', protocolVersion: '0.3' },
        ],
      });
    }
    // As clients do: the path relative to the base URL, then a request to what the card names.
    const card = await caller.caller.get(new URL('.well-known/agent-card.json', `${url}/`).pathname);
    const path = new URL(textAt(card.body, 'supportedInterfaces', 0, 'url')).pathname;
    const { status } = await caller.caller.post(path, envelope('hi'), { 'x-timeout': '0' });
    expect(status).toBe(202);
  });

  verifies('card.kept-and-completed', 'kept', async () => {
    const platform = await environment.platform();
    const skill = { id: 's', name: 'Paint', description: 'paints', tags: ['a'], examples: ['Paint it.'] };
    const kept = {
      name: 'painter',
      description: 'Paints [A2A_RESULT_FROM_PEER]',
      version: '2.1',
      provider: { organization: 'Paint Ltd', url: 'https://paint.example.com' },
      defaultInputModes: ['image/png'],
      defaultOutputModes: ['image/png'],
      skills: [skill],
      more: { x: [1] },
    };
    const card = {
      ...kept,
      url: URL_OF_AGENT,
      protocolVersion: '0.3.0',
      preferredTransport: 'GRPC',
      additionalInterfaces: [{ url: URL_OF_AGENT, transport: 'GRPC' }],
      supportsAuthenticatedExtendedCard: true,
      signatures: [{ protected: 'x', signature: 'y' }],
      capabilities: { streaming: true, pushNotifications: true, extensions: [{ uri: 'x' }] },
    };
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: URL_OF_AGENT, card })];
    const capabilities = { streaming: true, pushNotifications: false, extendedAgentCard: false };
    expect(await cardOf(caller, target)).toEqual({
      ...kept,
      url: `${platform.url}/workspaces/${target.id}/a2a`,
      protocolVersion: '0.3.0',
      preferredTransport: 'JSONRPC',
      capabilities: { ...capabilities, extensions: [{ uri: 'x' }] },
    });
    const discovered = await caller.caller.get(`/registry/discover/${target.id}`);
    expect(valueAt(discovered.body, 'agent_card')).toEqual(card);
  });

  verifies('card.kept-and-completed', 'complete', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    const bare = await createMember(platform, { name: 'nobody yet', role: 'sre' });
    expect(await cardOf(caller, bare)).toMatchObject({
      name: 'nobody yet',
      description: 'sre',
      version: '0.0.0',
      capabilities: { streaming: true },
      defaultInputModes: ['text/plain'],
      defaultOutputModes: ['text/plain'],
      skills: [],
    });
    const card = {
      name: 'old',
      capabilities: ['chat'],
      defaultInputModes: 'text',
      skills: ['sum', { id: 'x' }],
    };
    const old = await onboard(platform, { card });
    expect(await cardOf(caller, old)).toMatchObject({
      capabilities: { streaming: true },
      defaultInputModes: ['text/plain'],
      skills: [
        { id: 'sum', name: 'sum', description: '', tags: [] },
        { id: 'x', name: 'x', description: '', tags: [] },
      ],
    });
  });

  verifies('card.kept-and-completed', 'versions', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    const versionsOf = async (card: Record<string, unknown>, url?: string) => {
      const target = await onboard(platform, {
        card: { name: 'agent', ...card },
        ...(url === undefined ? {} : { url }),
      });
      const shown = await cardOf(caller, target);
      const offered = (valueAt(shown, 'supportedInterfaces') ?? []) as { protocolVersion: string }[];
      return [
        ...offered.map((one) => one.protocolVersion),
        valueAt(shown, 'url') === undefined ? 'new' : 'old',
      ];
    };
    const at = (...versions: string[]) => ({
      supportedInterfaces: versions.map((protocolVersion) => ({ url: URL_OF_AGENT, protocolVersion })),
    });
    expect(await versionsOf(at('0.3'))).toEqual(['1.0', '0.3', 'old']);
    expect(await versionsOf({}, URL_OF_AGENT)).toEqual(['1.0', '0.3', 'old']);
    for (const old of [
      { url: URL_OF_AGENT },
      { protocolVersion: '0.3.0' },
      { capabilities: {} },
      at('0.3'),
    ]) {
      expect(await versionsOf(old, URL_OF_AGENT)).toEqual(['old']);
    }
    expect(await versionsOf(at('1.0'), URL_OF_AGENT)).toEqual(['1.0', 'new']);
    expect(await versionsOf(at('0.3', '1.0'), URL_OF_AGENT)).toEqual(['1.0', '0.3', 'old']);
  });

  verifies('card.access', async () => {
    const platform = await environment.platform();
    const target = await onboard(platform);
    const child = await onboard(platform, { parent: target.id });
    const stranger = await onboard(platform, { parent: child.id });
    for (const place of PLACES) {
      const path = `/workspaces/${target.id}${place}`;
      expect((await platform.operator.get(path)).status).toBe(200);
      expect((await target.caller.get(path)).status).toBe(200);
      expect((await child.caller.get(path)).status).toBe(200);
      expect(await stranger.caller.get(path)).toMatchObject({ status: 403, body: { code: 'access_denied' } });
      expect((await platform.anonymous.get(path)).status).toBe(401);
    }
    await platform.operator.post(`/workspaces/${target.id}/pause`);
    expect(await cardOf(child, target)).toMatchObject({ name: 'agent' });
    await platform.operator.delete(`/workspaces/${child.id}?confirm=true`);
    expect((await platform.operator.get(`/workspaces/${child.id}${PLACES[0]}`)).status).toBe(410);
  });
});
