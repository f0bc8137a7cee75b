import { ANY_MESSAGE, MessageExceptionFilter, MoleculeRpcContext } from '@molecule-ai/nestjs/microservice';
import { Controller, Logger, UseFilters, UsePipes, ValidationPipe } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { from, map, type Observable } from 'rxjs';
import { PickDto } from './pick.dto.ts';
import { StockService } from './stock.service.ts';

/** Patterns as with each transporter. The filter lets the errors of pipes reach the sender. */
@Controller()
@UseFilters(MessageExceptionFilter)
export class PickingController {
  private readonly logger = new Logger(PickingController.name);

  constructor(private readonly stock: StockService) {}

  /** Messages of this method of JSON-RPC. An `RpcException` is final, and the sender reads it. */
  @MessagePattern('delegate_task')
  @UsePipes(new ValidationPipe({ transform: true }))
  pick(@Payload('params') { item, quantity }: PickDto, @Ctx() context: MoleculeRpcContext): Promise<string> {
    // A message is handled again after a crash: `once` keeps what was taken.
    return context.getHandlerContext().once('pick', () => {
      const left = this.stock.take(item, quantity);
      if (left === null) throw new RpcException(`There are not ${quantity} × ${item} on the shelf.`);
      return `Picked ${quantity} × ${item}, ${left} are left.`;
    });
  }

  /** All other messages. An `Observable` is streamed to senders that read a stream. */
  @MessagePattern(ANY_MESSAGE)
  list(@Payload('text') text: string): Observable<string> {
    if (!text.startsWith('What')) throw new RpcException('Ask "What is on the shelves?".');
    return from(this.stock.list()).pipe(map((line, index) => (index === 0 ? line : `\n${line}`)));
  }

  /** An operator has paused the agent: it takes no messages until it is resumed. */
  @EventPattern('paused')
  paused(@Payload() _nothing: unknown): void {
    this.logger.warn('Paused');
  }

  @EventPattern('resumed')
  resumed(@Payload() _nothing: unknown): void {
    this.logger.log('Resumed');
  }
}
