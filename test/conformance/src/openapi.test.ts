import { randomUUID } from 'node:crypto';
import { type Route, routes } from '@molecule-ai/protocol';
import { dereference, validate } from '@readme/openapi-parser';
import { expect } from 'vitest';
import { BUILT_ROUTES } from './harness/built-routes.ts';
import { onboard } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { operationId: string }>>>>;
}

onEachDatabase('openapi', (environment) => {
  verifies('openapi.describes-every-mounted-route', 'describes every mounted route', async () => {
    const platform = await environment.platform();
    const { status, body } = await platform.operator.get('/openapi.json');
    expect(status).toBe(200);
    const document = body as Document;
    expect(document.openapi).toBe('3.1.0');
    expect(await validate(structuredClone(document) as never)).toMatchObject({ valid: true });
    await dereference(structuredClone(document) as never);

    const send = document.paths['/workspaces/{id}/a2a']?.post;
    const success = Object.keys(
      (send as { responses?: { 200?: { content: object } } }).responses?.[200]?.content ?? {},
    );
    expect(success).toEqual(['application/json', 'text/event-stream']);

    const described = Object.values(document.paths).flatMap((path) => Object.values(path));
    const names = described.map(({ operationId }) => operationId);
    expect(names.sort()).toEqual([...BUILT_ROUTES].sort());
    for (const { name, method, path } of Object.values<Route>(routes)) {
      const operation = document.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
      expect(operation?.operationId, name).toBe(names.includes(name) ? name : undefined);
      if (operation !== undefined) continue;
      const filled = path.replace(/:\w+/g, () => randomUUID());
      const absent = await platform.operator.send({ method, path: filled });
      expect(absent, name).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });

  verifies('openapi.describes-every-mounted-route', 'needs a credential', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    expect((await member.caller.get('/openapi.json')).status).toBe(200);
    expect(await platform.anonymous.get('/openapi.json')).toMatchObject({
      status: 401,
      body: { code: 'missing_credentials' },
    });
    expect(await platform.as('x'.repeat(43)).get('/openapi.json')).toMatchObject({
      status: 401,
      body: { code: 'invalid_credentials' },
    });
  });
});
