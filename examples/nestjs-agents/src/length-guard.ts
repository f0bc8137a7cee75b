import type { InboundMessage } from '@molecule-ai/core';
import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  PayloadTooLargeException,
} from '@nestjs/common';

const MAX_LENGTH = 20_000;

/** What a model reads costs money: longer messages end here, and their sender reads why. */
@Injectable()
export class LengthGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const [message] = context.getArgs<[InboundMessage]>();
    if (message.text.length <= MAX_LENGTH) return true;
    throw new PayloadTooLargeException(`A message may have ${MAX_LENGTH} characters`);
  }
}
