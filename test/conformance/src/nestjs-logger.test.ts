import 'reflect-metadata';
import {
  type HandlerContext,
  type InboundMessage,
  MessageFailure,
  MoleculeError,
  type RemoteAgent,
} from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  MessageContext,
  MessageText,
  MoleculeModule,
  nestLogger,
  OnAgentEvent,
  OnMessage,
} from '@molecule-ai/nestjs';
import { MessageExceptionFilter, MoleculeStrategy } from '@molecule-ai/nestjs/microservice';
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Logger,
  type LoggerService,
  NotFoundException,
  UseFilters,
} from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { throwError } from 'rxjs';
import { expect, onTestFinished } from 'vitest';
import { moduleOf, openNestStage, type WorkspaceOptions } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

/** What an application gives Nest as its logger. */
function recordingNestLogger() {
  const lines: [level: string, ...values: unknown[]][] = [];
  const write =
    (level: string) =>
    (...values: unknown[]) =>
      void lines.push([level, ...values]);
  const logger: LoggerService = {
    log: write('log'),
    error: write('error'),
    warn: write('warn'),
    debug: write('debug'),
  };
  return { logger, lines };
}

/** All that a line shows, of errors the stack as well. */
/** As in an application, whose agents log to its logger. */
function withoutLogger(options: WorkspaceOptions): WorkspaceOptions {
  const { logger: _silent, ...client } = options.client;
  return { ...options, client };
}

function textOf(line: readonly unknown[]): string {
  return line.map((value) => (value instanceof Error ? `${value}${value.stack}` : String(value))).join(' ');
}

verifies('agent.names-failures', 'errors: log', async () => {
  @Catch()
  class Counting implements ExceptionFilter {
    static count = 0;
    catch() {
      Counting.count += 1;
    }
  }
  class Clerk {
    @OnMessage() answer(@MessageText() text: string) {
      if (text.startsWith('refused'))
        throw new MessageFailure('No.', { code: 'refused', cause: new Error(text) });
      if (text.startsWith('missing')) throw new NotFoundException(`Missing: ${text}`);
      throw new Error(`Unknown order: ${text}`);
    }
  }
  class CountingClerk extends Clerk {
    @UseFilters(Counting)
    @OnMessage()
    override answer(@MessageText() text: string) {
      return super.answer(text);
    }
  }
  const { workspace, opened, online, ask } = await openNestStage();
  const { logger, lines } = recordingNestLogger();
  onTestFinished(() => Logger.overrideLogger(false));
  const body = 'PRIVATE-BODY\n\u001b[32m[Nest] 1  - LOG [Auth] admin logged in\u001b[2J';
  for (const Host of [Clerk, CountingClerk]) {
    for (const globalEnhancers of [true, false]) {
      const options = withoutLogger(await workspace({ globalEnhancers }));
      const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Host] });
      const app = opened(await NestFactory.createApplicationContext(root, { logger, abortOnError: false }));
      await online(app.get<RemoteAgent>(getAgentToken()));
      for (const kind of ['refused', 'missing', 'retried']) {
        lines.length = 0;
        expectStatus(await ask(options.client.workspaceId, `${kind} ${body}`), 'failed');
        const texts = lines.map(textOf);
        expect(texts.filter((text) => /PRIVATE|admin/.test(text) || text.includes('\u001b'))).toEqual([]);
        const own = lines.filter((line) => line.at(-1) === 'Molecule');
        expect(lines).toEqual(own);
        expect(own).toHaveLength(kind === 'retried' ? 5 : 1);
        // Of the attempts that are followed by another one, the first has the frames.
        const warnings = own.filter(([level]) => level === 'warn').map(textOf);
        const withFrames = warnings.filter((text) => /^ +at .*\.answer .*nestjs-logger\.test/m.test(text));
        expect(withFrames).toEqual(kind === 'retried' ? warnings.slice(0, 1) : []);
      }
    }
  }
  expect(Counting.count).toBe(14);
});

verifies('agent.names-failures', 'of methods for events', async () => {
  class Clerk {
    @OnMessage() answer() {
      return 'Done.';
    }
    @OnAgentEvent('message') arrived({ text }: InboundMessage) {
      throw new Error(`Cannot count: ${text}`);
    }
  }
  const { workspace, opened, online, ask } = await openNestStage();
  const { logger, lines } = recordingNestLogger();
  onTestFinished(() => Logger.overrideLogger(false));
  const options = withoutLogger(await workspace());
  const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Clerk] });
  const app = opened(await NestFactory.createApplicationContext(root, { logger, abortOnError: false }));
  await online(app.get<RemoteAgent>(getAgentToken()));
  lines.length = 0;
  expectAnswered(
    await ask(options.client.workspaceId, 'PRIVATE-BODY\n[Nest] admin logged in\u001b[2J'),
    'Done.',
  );
  const errors = lines.filter(([level]) => level === 'error');
  expect(errors).toHaveLength(1);
  expect(errors[0]?.[1]).toMatch(/^A listener of the agent failed\..*Cannot count: \[text of the message\]/);
  expect(lines.map(textOf).join('\n')).not.toMatch(/PRIVATE|admin/);
});

verifies('agent.names-failures', 'of a filter that fails, with the error of the method', async () => {
  @Catch()
  class HttpFilter implements ExceptionFilter {
    catch(_error: unknown, host: ArgumentsHost) {
      host.switchToHttp().getResponse<{ status(code: number): void }>().status(500);
    }
  }
  class Clerk {
    @UseFilters(HttpFilter)
    @OnMessage()
    answer(@MessageText() text: string) {
      throw new RangeError(`Unknown order: ${text}`);
    }
  }
  const { workspace, opened, online, ask } = await openNestStage();
  const { logger, lines } = recordingNestLogger();
  onTestFinished(() => Logger.overrideLogger(false));
  const options = withoutLogger(await workspace());
  const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Clerk] });
  const app = opened(await NestFactory.createApplicationContext(root, { logger, abortOnError: false }));
  await online(app.get<RemoteAgent>(getAgentToken()));
  lines.length = 0;
  expectStatus(await ask(options.client.workspaceId, 'PRIVATE-BODY'), 'failed', 'handler_failed');
  const texts = lines.map(textOf);
  expect(texts).toHaveLength(5);
  for (const text of texts) {
    expect(text).toMatch(/status is not a function.*RangeError.*Unknown order: \[text of the message\]/s);
    expect(text).not.toContain('PRIVATE');
  }
});

verifies('nestjs.messages.warnings', 'errors: http only', async () => {
  @Injectable()
  class HeaderGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      return context.switchToHttp().getRequest().headers.authorization === 'Bearer secret';
    }
  }
  class Clerk {
    @OnMessage() answer(@MessageText() text: string) {
      if (text === 'own') throw new TypeError('Of the method');
      return 'Done.';
    }
  }
  const { workspace, opened, online, ask } = await openNestStage();
  const { logger, lines } = recordingNestLogger();
  onTestFinished(() => Logger.overrideLogger(false));
  const hintsFor = async (globalEnhancers: boolean, text: string) => {
    const options = withoutLogger(await workspace({ globalEnhancers }));
    const guard = { provide: APP_GUARD, useClass: HeaderGuard };
    const imports = [MoleculeModule.forRoot(options)];
    const root = moduleOf({ imports, providers: [Clerk, guard] });
    const app = opened(await NestFactory.createApplicationContext(root, { logger, abortOnError: false }));
    await online(app.get<RemoteAgent>(getAgentToken()));
    lines.length = 0;
    const { status } = await ask(options.client.workspaceId, text);
    const hints = lines.map(textOf).filter((line) => line.includes('it may be for HTTP only'));
    return { status, hints };
  };
  const { status, hints } = await hintsFor(true, 'PRIVATE-BODY');
  expect([status, hints]).toEqual([
    'failed',
    [expect.stringMatching(/^warn .*globalEnhancers: false.*"enhancer":"HeaderGuard"/)],
  ]);
  expect(await hintsFor(false, 'Hello')).toEqual({ status: 'answered', hints: [] });
  expect(await hintsFor(false, 'own')).toEqual({ status: 'failed', hints: [] });
});

verifies('agent.names-failures', 'microservice: event errors', async () => {
  const seen: string[] = [];
  @Controller()
  @UseFilters(MessageExceptionFilter)
  class Desk {
    @MessagePattern('message/send') answer() {
      return 'Done.';
    }
    @EventPattern('message') arrived({ text }: InboundMessage) {
      throw new Error(`Cannot count: ${text}`);
    }
    @EventPattern('delivered') delivered(@Payload('text') text: string) {
      seen.push(text.slice(0, 7));
      return throwError(() => new RpcException({ message: 'Counted', code: 'counted' }));
    }
  }
  const { workspace, opened, online, ask } = await openNestStage();
  const { logger, lines } = recordingNestLogger();
  onTestFinished(() => Logger.overrideLogger(false));
  const strategy = new MoleculeStrategy();
  const options = withoutLogger(await workspace({ strategy }));
  const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], controllers: [Desk] });
  const app = opened(await NestFactory.createMicroservice(root, { strategy, logger, abortOnError: false }));
  await app.listen();
  await online(app.get<RemoteAgent>(getAgentToken()));
  lines.length = 0;
  expectAnswered(await ask(options.client.workspaceId, 'PRIVATE-BODY\n[Nest] admin logged in'), 'Done.');
  const errors = lines.filter(([level]) => level === 'error').map(([, line]) => line);
  expect(errors).toEqual([
    expect.stringMatching(
      /^A listener of the agent failed\..*Cannot count: \[text of the message\].*"event":"message"/,
    ),
    expect.stringMatching(/^A listener of the agent failed\..*"code":"counted".*"event":"delivered"/),
  ]);
  expect(seen).toEqual(['PRIVATE']);
  expect(lines.map(textOf).join('\n')).not.toMatch(/PRIVATE|admin/);
});

verifies('nestjs.logger.bridge', async () => {
  const secret = 'mol_secret_0123456789abcdef';
  class Clerk {
    @OnMessage() answer(@MessageContext() { logger }: HandlerContext) {
      logger.warn({ token: secret, size: 3 }, 'Handling.');
      return 'Done.';
    }
  }
  const { workspace, opened, online, ask } = await openNestStage();
  const options = withoutLogger(await workspace());
  const { logger, lines } = recordingNestLogger();
  onTestFinished(() => Logger.overrideLogger(false));
  const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Clerk] });
  const app = opened(await NestFactory.createApplicationContext(root, { logger, abortOnError: false }));
  const { MoleculeService } = await import('@molecule-ai/nestjs');
  await online(app.get(MoleculeService).agent);
  await ask(options.client.workspaceId, 'Do it.');
  const own = lines.filter((line) => line.at(-1) === 'Molecule');
  const [level, line] = own.find(([, text]) => String(text).startsWith('Handling.')) ?? [];
  expect([level, line]).toEqual([
    'warn',
    expect.stringMatching(/^Handling\. \{.*"token":"\[redacted\]","size":3\}$/),
  ]);
  expect(JSON.stringify(lines)).not.toContain(secret);

  lines.length = 0;
  const direct = nestLogger('Molecule:support');
  const error = new MoleculeError('down', { code: 'connection_failed', hint: 'Look.' });
  direct.debug({}, 'one');
  direct.info({ a: 1n }, 'two\u001b[2J\u202e');
  direct.error({ error }, 'three');
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  direct.warn({ circular }, 'four');
  direct.warn({ long: 'x'.repeat(10_000) }, 'five');
  expect(lines.slice(0, 2)).toEqual([
    ['debug', 'one', 'Molecule:support'],
    ['log', 'two\\u001b[2J\\u202e {"a":"1"}', 'Molecule:support'],
  ]);
  expect(lines[2]).toEqual([
    'error',
    expect.stringMatching(/^three .*"code":"connection_failed".*"message":"down"/),
    error.stack?.split('\n').slice(1).join('\n'),
    'Molecule:support',
  ]);
  expect(lines[3]?.[1]).toBe('four [unreadable fields]');
  expect(String(lines[4]?.[1]).length).toBeLessThan(4_100);
  direct.error({ error: new Error('six\n[Nest] forged\u001b[2J\n    at forged') }, 'six');
  expect(lines[5]?.[2]).toMatch(/^ +at .*nestjs-logger\.test/);
  expect(JSON.stringify(lines[5]?.[2])).not.toMatch(/forged|u001b/);
  lines.length = 0;
  Logger.overrideLogger(false);
  direct.warn({}, 'six');
  expect(lines).toEqual([]);
});
