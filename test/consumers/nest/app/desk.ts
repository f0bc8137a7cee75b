import { OnPeerMessage, Signal } from '@molecule-ai/nestjs';
import { Injectable, UseGuards } from '@nestjs/common';
import { CommonJsText } from 'commonjs-library';
import { ModuleText } from 'module-library';
import { PoliteGuard } from './guards.js';
import { Journal, Stock } from './stock.js';

/** A provider with a request-scoped dependency, and decorators of libraries. */
@Injectable()
export class Desk {
  constructor(
    private readonly stock: Stock,
    private readonly journal: Journal,
  ) {}

  @OnPeerMessage()
  @UseGuards(PoliteGuard)
  answer(@CommonJsText() one: string, @ModuleText() two: string, @Signal() signal: AbortSignal): string {
    return `${one === two ? one : '?'}: ${this.journal.entry()}, ${signal.aborted || this.stock.isClosed ? 'closed' : 'open'}`;
  }
}
