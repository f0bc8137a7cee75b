/** The HTTP side of an agent with a URL of its own, without anything of Node. A test pins this list of exports. */
export type { InboundAgent } from './inbound-http/inbound-agent.ts';
export {
  createInboundHandler,
  type InboundHandler,
  type InboundHandlerOptions,
} from './inbound-http/inbound-handler.ts';
