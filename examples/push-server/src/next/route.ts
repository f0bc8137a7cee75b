/** `app/a2a/[[...path]]/route.ts`: messages by POST, the card by GET. */
// #region next
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { agent } from './agent.ts';

const handler = createInboundHandler(agent);

export async function POST(request: Request): Promise<Response> {
  return handler(request);
}

export async function GET(request: Request): Promise<Response> {
  return handler(request);
}
// #endregion next
