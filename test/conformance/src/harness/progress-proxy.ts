import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { valueAt } from './http.ts';
import type { TestEnvironment } from './test-environment.ts';

/** Passes requests on to a platform, and takes reports of progress itself. */
export async function startProgressProxy(environment: TestEnvironment, platform: { readonly url: string }) {
  const firstReport = Promise.withResolvers<void>();
  // biome-ignore lint/suspicious/noExplicitAny: what an agent sends
  const reports: any[] = [];
  const server = createServer((request, response) => {
    const { method = '', headers, url = '/' } = request;
    if (url.endsWith('/progress')) {
      void json(request).then((report: unknown) => {
        reports.push(report);
        firstReport.resolve();
        const offset = Number(valueAt(report, 'offset')) + String(valueAt(report, 'text')).length;
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ status: 'ok', offset }));
      });
      return;
    }
    if (method === 'POST' && url.endsWith('/a2a')) reports.push('the answer');
    const passed = forward(new URL(url, platform.url), { method, headers }, (answer) => {
      const offered = String(answer.headers['x-molecule-capabilities']);
      const words = { 'x-molecule-capabilities': [offered, 'stream'].join(',') };
      response.writeHead(answer.statusCode ?? 500, { ...answer.headers, ...words });
      answer.pipe(response);
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
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, reports, firstReport: firstReport.promise };
}
