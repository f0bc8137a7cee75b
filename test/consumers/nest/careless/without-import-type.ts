import { InboundMessage } from '@molecule-ai/core';
import { Message, OnMessage } from '@molecule-ai/nestjs';
import { Injectable } from '@nestjs/common';

@Injectable()
export class Careless {
  @OnMessage()
  answer(@Message() message: InboundMessage): string {
    return message.text;
  }
}
