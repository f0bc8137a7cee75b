// #region guard
import type { InboundMessage } from '@molecule-ai/core';
import { Message, MessageText, OnPeerMessage } from '@molecule-ai/nestjs';
import {
  type CanActivate,
  ConflictException,
  type ExecutionContext,
  Injectable,
  NotFoundException,
  UseGuards,
} from '@nestjs/common';

/** The guard that the application has for all its routes: it lets messages pass, and nothing else. */
@Injectable()
export class HttpAuthGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType<string>() === 'molecule') return true;
    return context.switchToHttp().getRequest().headers.authorization === 'Bearer secret';
  }
}

/** A guard for messages. What the platform says of the sender is reliable, what the message says is not. */
@Injectable()
export class KnownSenderGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType<string>() !== 'molecule') return true;
    const [message] = context.getArgs<[InboundMessage]>();
    return message.source !== 'unknown';
  }
}
// #endregion guard

// #region errors
@Injectable()
@UseGuards(HttpAuthGuard, KnownSenderGuard)
export class Stock {
  @OnPeerMessage()
  reserve(@MessageText() item: string, @Message() message: InboundMessage): string {
    if (item === 'unicorn') throw new NotFoundException('There are no unicorns'); // the sender reads this sentence
    if (item === 'last') throw new ConflictException(`Sold, ${message.messageId} came too late`);
    if (item === 'slow') throw new Error('The database is away'); // tried again; the sender never reads it
    return `Reserved: ${item}.`;
  }
}
// #endregion errors
