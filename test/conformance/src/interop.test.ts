import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { onboard } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DATA = new URL('../data/', import.meta.url);

/** What `pnpm interop --record` wrote: one client and an agent of the same SDK. */
interface Recorded {
  readonly client: string;
  readonly exchanges: readonly {
    readonly request: { readonly headers: Record<string, string>; readonly body: unknown };
    /** What the agent's server got, and its response. */
    readonly push: {
      readonly headers: Record<string, string>;
      readonly body: unknown;
      readonly response: unknown;
    };
    readonly response: unknown;
  }[];
}

const recorded = readdirSync(DATA)
  .filter((name) => name.startsWith('interop-'))
  .map((name) => JSON.parse(readFileSync(new URL(name, DATA), 'utf8')) as Recorded);

/** Ids that neither side chose, and addresses, differ from run to run. */
function comparable(value: unknown, ...chosen: readonly unknown[]): unknown {
  const known = JSON.stringify(chosen);
  const text = JSON.stringify(value)
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => (known.includes(id) ? id : '<id>'))
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, '<origin>')
    .replace(/"conversation_id":"[0-9a-f]{32}"/g, '"conversation_id":"<digest of ids>"');
  return JSON.parse(text);
}

onEachDatabase('published A2A SDKs', (environment) => {
  describe.each(recorded)('$client', ({ exchanges }) => {
    verifies('interop.sdks', 'requests; answers', async () => {
      const platform = await environment.platform({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
      const responses = exchanges.map(({ push }) => push.response);
      const agent = await environment.scriptedAgent({
        script: () => ({ kind: 'json', body: responses.shift() }),
      });
      const caller = await onboard(platform, { name: 'caller' });
      const server = await onboard(platform, { url: agent.url });
      for (const [index, { request, push, response }] of exchanges.entries()) {
        const { body, status } = await caller.caller.post(
          `/workspaces/${server.id}/a2a`,
          request.body,
          request.headers,
        );
        const pushed = (await agent.received(index + 1))[index];
        expect(comparable(pushed?.body, request.body)).toEqual(comparable(push.body, request.body));
        expect(pushed?.headers).toMatchObject(push.headers);
        expect(status).toBe(200);
        const chosen = [request.body, push.response];
        expect(comparable(body, ...chosen)).toEqual(comparable(response, ...chosen));
      }
    });
  });
});
