import type { InboundMessage } from '@molecule-ai/core';
import { type CanActivate, type ExecutionContext, ForbiddenException, Injectable } from '@nestjs/common';

/** The guard of the REST routes. */
@Injectable()
export class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType<string>() === 'molecule') return true;
    return context.switchToHttp().getRequest().headers['x-key'] === 'open';
  }
}

/** The guard of a handler. */
@Injectable()
export class PoliteGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const [message] = context.getArgs<[InboundMessage]>();
    if (message.text.endsWith('please')) return true;
    throw new ForbiddenException('Say please');
  }
}
