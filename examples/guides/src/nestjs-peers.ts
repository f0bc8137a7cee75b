// #region service
import {
  MessageText,
  MoleculeService,
  OnUserMessage,
  PeerTextInterceptor,
  UntrustedText,
} from '@molecule-ai/nestjs';
import { Controller, Get, Injectable, Param, Sse, UseInterceptors } from '@nestjs/common';
import { map, type Observable } from 'rxjs';

/** REST routes that ask other agents. */
@Controller('peers')
export class PeersController {
  constructor(private readonly molecule: MoleculeService) {}

  /** For the application: data of the peer is untrusted. */
  @Get()
  async list(): Promise<{ id: string; status: string }[]> {
    const peers = await this.molecule.peers();
    return peers.map(({ id, status }) => ({ id, status }));
  }

  /** The answer as it is made, as events. To close the connection cancels the message. */
  @Sse(':id/stream')
  stream(@Param('id') id: string): Observable<{ data: string }> {
    return this.molecule.observe(id, 'What is new?').pipe(map((data) => ({ data })));
  }

  /** A tool of a model: the interceptor fences what the peer wrote. */
  @Get(':id/ask')
  @UseInterceptors(PeerTextInterceptor)
  async ask(@Param('id') id: string): Promise<unknown> {
    return { reply: await this.molecule.call(id, 'What is new?') };
  }
}
// #endregion service

// #region parameter
/** What a model reads of a message, and a peer that is asked in the same conversation. */
@Injectable()
export class Planner {
  constructor(private readonly molecule: MoleculeService) {}

  @OnUserMessage()
  async plan(@UntrustedText() forModel: string, @MessageText() text: string): Promise<string> {
    const [peer] = await this.molecule.peers();
    if (peer === undefined) return `Nobody to ask: ${forModel}`;
    const reply = await this.molecule.call(peer.id, text); // the same message when this one is tried again
    return reply.text;
  }
}
// #endregion parameter
