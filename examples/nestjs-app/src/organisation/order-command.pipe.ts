import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';

/** What another agent may ask for. */
export type OrderCommand =
  | { readonly kind: 'status'; readonly id: number }
  | { readonly kind: 'order'; readonly item: string; readonly quantity: number };

/** Reads the text of a message. The sender gets the sentence of the exception as the reason why its message failed. */
@Injectable()
export class OrderCommandPipe implements PipeTransform<string, OrderCommand> {
  transform(text: string): OrderCommand {
    const status = /^status (\d{1,9})$/.exec(text);
    if (status !== null) return { kind: 'status', id: Number(status[1]) };
    const [, quantity, item = ''] = /^order (\d{1,3}) ([\w -]{1,100})$/.exec(text) ?? [];
    if (Number(quantity) > 0) return { kind: 'order', item, quantity: Number(quantity) };
    throw new BadRequestException('Write "status 17" or "order 3 tea"');
  }
}
