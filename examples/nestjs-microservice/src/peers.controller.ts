import type { PeerReply } from '@molecule-ai/core';
import { MoleculeRpcException } from '@molecule-ai/nestjs/microservice';
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Sse,
  UseFilters,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { ClientProxy } from '@nestjs/microservices';
import { IsString, Length } from 'class-validator';
import { map, type Observable } from 'rxjs';

/** Injection token of the `MoleculeClientProxy`. */
export const PEERS = Symbol('PEERS');

class TextDto {
  @IsString()
  @Length(1, 1_000)
  text: string;
}

/** Errors of peers are responses of 502 with their code; the words of a peer are data. */
@Catch(MoleculeRpcException)
class PeerErrorFilter implements ExceptionFilter<MoleculeRpcException> {
  catch({ code, message }: MoleculeRpcException, host: ArgumentsHost): void {
    host.switchToHttp().getResponse().status(502).json({ code, message });
  }
}

/** REST routes whose work a microservice does. The pattern of a message is the id of its recipient. */
@Controller('peers/:id')
@UseFilters(PeerErrorFilter)
@UsePipes(ValidationPipe)
export class PeersController {
  constructor(@Inject(PEERS) private readonly peers: ClientProxy) {}

  /** The answer. */
  @Post('questions')
  @HttpCode(200)
  ask(@Param('id') id: string, @Body() { text }: TextDto): Observable<{ text: string }> {
    return this.peers.send<PeerReply>(id, text).pipe(map((reply) => ({ text: reply.text })));
  }

  /** The answer while it is made. */
  @Sse('answers')
  stream(@Param('id') id: string, @Query() { text }: TextDto): Observable<{ data: string }> {
    return this.peers.send<string>(id, { text, stream: true }).pipe(map((data) => ({ data })));
  }

  /** Ends when the platform has stored the message, also while the peer is away. */
  @Post('messages')
  @HttpCode(202)
  tell(@Param('id') id: string, @Body() { text }: TextDto): Observable<{ messageId: string }> {
    return this.peers.emit<PeerReply>(id, text).pipe(map(({ messageId }) => ({ messageId })));
  }
}
