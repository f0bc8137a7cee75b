import { deepStrictEqual } from 'node:assert';

interface SentRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly id: string };
}

/**
 * Requires that both send the very same request to `agent-server`: method, path, headers and JSON, with another message id.
 * @throws AssertionError that shows the difference.
 */
export async function requireSameRequest(
  serverUrl: string,
  ours: () => Promise<void>,
  other: () => Promise<void>,
): Promise<void> {
  const [one, two] = [await sentBy(ours, serverUrl), await sentBy(other, serverUrl)];
  deepStrictEqual(two, one);
}

async function sentBy(send: () => Promise<void>, serverUrl: string): Promise<SentRequest> {
  await send();
  const text = await (await fetch(`${serverUrl}/last-request`)).text();
  const { body } = JSON.parse(text) as SentRequest;
  return JSON.parse(text.replaceAll(body.id, 'id')) as SentRequest;
}
