/** A child that is an application of NestJS: a method of one of its providers answers, and its database closes after the last answer. */
import 'reflect-metadata';
import { MessageText, MoleculeModule, OnAgentEvent, OnPeerMessage } from '@molecule-ai/nestjs';
import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { log } from './log.ts';

/** What the application has anyway. */
@Injectable()
class Calendar implements OnModuleDestroy {
  #isOpen = true;

  state(): string {
    if (!this.#isOpen) throw new Error('The calendar is closed.');
    return process.env.DEMO_KNOWLEDGE ?? '';
  }

  onModuleDestroy(): void {
    this.#isOpen = false;
    log('calendar-closed');
  }
}

@Injectable()
class ChangeBoard {
  constructor(private readonly calendar: Calendar) {}

  @OnPeerMessage()
  answer(@MessageText() text: string): string {
    log('handling', { text });
    return this.calendar.state();
  }

  @OnAgentEvent('started')
  started(): void {
    log('online');
  }

  @OnAgentEvent('stopped')
  stopped(outcome: string): void {
    log('ended', { outcome });
  }
}

@Module({
  // Platform, workspace id and state folder come from the environment.
  imports: [
    MoleculeModule.forRoot({
      client: { agentCard: { name: 'change-board' } },
      agent: { presence: { heartbeatIntervalMs: 1_000 } },
    }),
  ],
  providers: [Calendar, ChangeBoard],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
app.enableShutdownHooks([], { useProcessExit: true });
