import type { HandlerContext, InboundMessage } from '@molecule-ai/core';
import { BaseRpcContext } from '@nestjs/microservices';
import { HANDLER_CONTEXT } from '../decorators.ts';

/** What `@Ctx()` gives a handler of a microservice. The parameter decorators of this package, such as `@Signal()`, read it as well. */
export class MoleculeRpcContext extends BaseRpcContext<[InboundMessage, HandlerContext]> {
  /** The message, which is also the payload. */
  getMessage(): InboundMessage {
    return this.getArgByIndex(0);
  }

  /** To stream, to reply early, `once`, the client and the signal. */
  getHandlerContext(): HandlerContext {
    return this.getArgByIndex(1);
  }

  /** Pass it to everything that takes one. */
  getSignal(): AbortSignal {
    return this.getHandlerContext().signal;
  }

  get [HANDLER_CONTEXT](): HandlerContext {
    return this.getHandlerContext();
  }
}
