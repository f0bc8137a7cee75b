import type { MessagePeer } from '@molecule-ai/nestjs';
import { MessageParams, MessageText, OnTask, OnUserMessage, Peer } from '@molecule-ai/nestjs';
import { Controller, Get, Injectable, Param } from '@nestjs/common';
import { IsInt, IsString, Min } from 'class-validator';
import { from, type Observable } from 'rxjs';
import { Stock } from './stock.js';

export class Reservation {
  @IsString()
  item!: string;

  @IsInt()
  @Min(1)
  count!: number;
}

/** A controller with a REST route and a handler of messages. */
@Controller('stock')
export class StockController {
  constructor(private readonly stock: Stock) {}

  @Get(':item')
  count(@Param('item') item: string): { item: string; count: number } {
    return { item, count: this.stock.count(item) };
  }

  @OnTask('delegate_task')
  reserve(@MessageParams() { item, count }: Reservation, @Peer() peer: MessagePeer): string {
    return `${count} of ${this.stock.count(item)} ${item}, ${peer.source}`;
  }
}

/** A static provider that streams. */
@Injectable()
export class Office {
  constructor(private readonly stock: Stock) {}

  @OnUserMessage()
  tell(@MessageText() text: string): Observable<string> {
    return from(text.split(' ').map((item) => `${item}: ${this.stock.count(item)}. `));
  }
}
