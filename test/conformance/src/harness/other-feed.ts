import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Capability } from '@molecule-ai/protocol';
import type { TestEnvironment } from './test-environment.ts';

type Row = Readonly<Record<string, unknown>>;

export interface OtherFeedOptions {
  /** Parameters of the query that the feed does not know. */
  readonly ignores?: readonly string[];
  /** What the platform does not offer. */
  readonly without?: Capability;
  /** Changes each row of a page. */
  readonly row?: (row: Row) => Row;
}

/** Passes requests on to a platform, with the feed of a platform of another kind. */
export async function startOtherFeed(
  environment: TestEnvironment,
  platform: { readonly url: string },
  { ignores = [], without, row = (given) => given }: OtherFeedOptions,
): Promise<{ readonly url: string; readonly queries: readonly string[] }> {
  const queries: string[] = [];
  const server = createServer((request, response) => {
    const { method = '', headers, url = '/' } = request;
    const target = new URL(url, platform.url);
    const isFeed = method === 'GET' && target.pathname.endsWith('/activity');
    if (isFeed) {
      queries.push(target.search);
      for (const name of ignores) target.searchParams.delete(name);
    }
    const passed = forward(target, { method, headers }, async (answer) => {
      const words = String(answer.headers['x-molecule-capabilities']).split(',');
      const offered = words.filter((word) => word !== without).join();
      const headers = { ...answer.headers, 'x-molecule-capabilities': offered };
      if (!isFeed || answer.statusCode !== 200) {
        response.writeHead(answer.statusCode ?? 500, headers);
        answer.pipe(response);
        return;
      }
      const { 'content-length': _length, ...rest } = headers;
      const rows = (await json(answer)) as Row[];
      response.writeHead(200, rest);
      response.end(JSON.stringify(rows.map(row)));
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  environment.onCleanup(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, queries };
}
