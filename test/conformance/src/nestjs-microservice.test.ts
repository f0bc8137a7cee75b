import 'reflect-metadata';
import type { InboundMessage, RemoteAgent } from '@molecule-ai/core';
import {
  getAgentToken,
  MessageText,
  MoleculeModule,
  type MoleculeModuleOptions,
  OnMessage,
} from '@molecule-ai/nestjs';
import {
  ANY_MESSAGE,
  MessageExceptionFilter,
  MOLECULE_TRANSPORT,
  type MoleculeRpcContext,
  MoleculeStrategy,
} from '@molecule-ai/nestjs/microservice';
import {
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type PipeTransform,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  BaseRpcContext,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { map, type Observable, of, throwError } from 'rxjs';
import { expect } from 'vitest';
import { moduleOf, openNestStage, QUIET } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

/** Creates a microservice, which is online when this resolves. */
async function startMicroservice(
  stage: Awaited<ReturnType<typeof openNestStage>>,
  controllers: Type[],
  options: Partial<MoleculeModuleOptions> = {},
) {
  const strategy = new MoleculeStrategy();
  const own = await stage.workspace({ ...options, strategy });
  const root = moduleOf({ imports: [MoleculeModule.forRoot(own)], controllers });
  const app = stage.opened(await NestFactory.createMicroservice(root, { ...QUIET, strategy }));
  await app.listen();
  const agent = app.get<RemoteAgent>(getAgentToken());
  await stage.online(agent);
  return { app, agent, id: own.client.workspaceId, strategy };
}

class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    expect(context.getType()).toBe('rpc');
    return !context.switchToRpc().getData<InboundMessage>().text.includes('forbidden');
  }
}

class TrimPipe implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? value.trim() : value;
  }
}

class LoudInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value) => `${value}!`));
  }
}

class TeapotError extends Error {}

@Catch(TeapotError)
class TeapotFilter implements ExceptionFilter {
  catch(): Observable<string> {
    return of('I am a teapot.');
  }
}

verifies('nestjs.microservice.handlers', 'microservice: messages', async () => {
  @Controller()
  @UseGuards(KeyGuard)
  @UseFilters(TeapotFilter)
  class TasksController {
    @MessagePattern('delegate_task')
    delegated(@Payload('params') params: { message?: unknown }, @Ctx() context: MoleculeRpcContext) {
      const message = context.getMessage();
      return `task of ${message.source}, ${Object.keys(params).length > 0}, ${context.getSignal().aborted}`;
    }

    @MessagePattern(ANY_MESSAGE, MOLECULE_TRANSPORT)
    @UsePipes(TrimPipe)
    @UseInterceptors(LoudInterceptor)
    any(@Payload('text') text: string, @MessageText() same: string) {
      if (text === 'stream') return of('one ', 'two ', 'three ');
      if (text === 'teapot') throw new TeapotError('no coffee');
      return `${text}${same === text}`;
    }

    @MessagePattern('orders', Transport.TCP)
    other() {
      return 'not ours';
    }
  }
  const stage = await openNestStage({ server: { contractCheck: 'responses' } });
  const { id } = await startMicroservice(stage, [TasksController]);
  const { ask, delegate, operator, settled } = stage;
  expect((await delegate(id, { message: 'Count them.', sender: 'x' })).text).toMatch(
    /^task of \w+, true, false$/,
  );
  expect((await ask(id, '  hello ')).text).toBe('hellotrue!');
  expect((await ask(id, 'teapot')).text).toBe('I am a teapot.');
  const refused = await ask(id, 'forbidden');
  expect([refused.status, refused.text]).toEqual(['failed', 'Forbidden resource.']);
  const stream = operator.streamMessage(id, 'stream');
  const pieces: string[] = [];
  await settled(
    (async () => {
      for await (const piece of stream) pieces.push(piece);
    })(),
  );
  expect(pieces.join('')).toBe('one !two !three !');
});

verifies('nestjs.microservice.handlers', 'microservice: events', async () => {
  const seen: unknown[] = [];
  @Controller()
  class EventsController {
    @EventPattern('started') started(@Payload() nothing: undefined) {
      seen.push(['started', nothing]);
    }
    @EventPattern('degraded') degraded(@Payload() [reason]: [string, unknown], @Ctx() context: unknown) {
      seen.push([reason, context instanceof BaseRpcContext]);
    }
    @EventPattern('delivered') delivered(@Payload() message: InboundMessage) {
      seen.push(message.text);
    }
    @EventPattern('delivered') again(@Payload() message: InboundMessage) {
      seen.push(`again ${message.text}`);
    }
    @EventPattern('paused') paused(_nothing: undefined) {
      seen.push('paused');
    }
    @MessagePattern('message/send') any() {
      return 'Yes.';
    }
  }
  const stage = await openNestStage();
  const { id } = await startMicroservice(stage, [EventsController]);
  expect((await stage.ask(id, 'hello')).text).toBe('Yes.');
  expect(seen).toEqual([['started', undefined], 'hello', 'again hello']);
  // A message by the name of an event is none.
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method: 'paused',
    params: { message: { role: 'user', parts: [{ kind: 'text', text: 'x' }] } },
  };
  await stage.settled(stage.platform.request('POST', `/workspaces/${id}/a2a`, { body }));
  expect(seen).not.toContain('paused');
  await stage.settled(stage.operator.pause(id));
  await stage.platform.clock.advanceUntil(() => seen.includes('paused'));
});

class OrderException extends RpcException {}

verifies('nestjs.errors.for-the-caller', 'microservice: errors', async () => {
  let attempts = 0;
  @Controller()
  class FailingController {
    @MessagePattern('message/send') any(@Payload('text') text: string) {
      attempts += 1;
      if (text === 'final') throw new RpcException('There is no such order');
      if (text === 'code') throw new RpcException({ message: 'No stock', code: 'no_stock' });
      if (text === 'later')
        throw new RpcException({ message: 'No stock', code: 'no_stock', isRetryable: true });
      if (text === 'stream') return throwError(() => new RpcException('Broke off'));
      if (attempts < 3) throw new Error('the database is away');
      return `attempt ${attempts}`;
    }
  }
  @Controller()
  @UseFilters(MessageExceptionFilter)
  class ValidatingController {
    @MessagePattern('message/send') any(@Payload('text') text: string) {
      attempts += 1;
      if (text === 'invalid') throw new BadRequestException(['size must be a number', 'name is missing']);
      if (text === 'final') throw new OrderException('There is no such order');
      if (text === 'wrapped') throw new RpcException(new Error('There is no such order'));
      if (text === 'code') throw new OrderException({ message: 'No stock', code: 'no_stock' });
      if (text === 'later')
        throw new RpcException({ message: 'No stock', code: 'no_stock', isRetryable: true });
      if (attempts < 2) throw new Error('the database is away');
      return `attempt ${attempts}`;
    }
  }
  const stage = await openNestStage();
  const { ask } = stage;
  const { id } = await startMicroservice(stage, [FailingController]);
  const sent = async (to: string, text: string) => {
    attempts = 0;
    const { status, code, text: answer } = await ask(to, text);
    return { status, code, answer, attempts };
  };
  const failed = { status: 'failed', code: 'handler_failed', attempts: 1 };
  expect(await sent(id, 'final')).toEqual({ ...failed, answer: 'There is no such order.' });
  expect(await sent(id, 'stream')).toEqual({ ...failed, answer: 'Broke off.' });
  expect(await sent(id, 'code')).toEqual({ ...failed, code: 'no_stock', answer: 'No stock.' });
  expect(await sent(id, 'retry')).toEqual({
    status: 'answered',
    code: null,
    answer: 'attempt 3',
    attempts: 3,
  });
  expect(await sent(id, 'later')).toMatchObject({ status: 'failed', attempts: 5 });

  const validating = await startMicroservice(stage, [ValidatingController]);
  expect(await sent(validating.id, 'invalid')).toMatchObject({
    status: 'failed',
    code: 'bad_request',
    answer: 'size must be a number; name is missing.',
    attempts: 1,
  });
  expect(await sent(validating.id, 'retry')).toMatchObject({ answer: 'attempt 2', attempts: 2 });
  expect(await sent(validating.id, 'final')).toEqual({ ...failed, answer: 'There is no such order.' });
  expect(await sent(validating.id, 'wrapped')).toEqual({ ...failed, answer: 'There is no such order.' });
  expect(await sent(validating.id, 'code')).toEqual({ ...failed, code: 'no_stock', answer: 'No stock.' });
  const later = await sent(validating.id, 'later');
  expect(later).toMatchObject({ status: 'failed', code: 'handler_failed', attempts: 5 });
  expect(later.answer).not.toContain('No stock');
});

verifies('nestjs.lifecycle.after-bootstrap', 'microservice: hybrid', async () => {
  const steps: string[] = [];
  @Injectable()
  class Database implements OnApplicationBootstrap, OnModuleDestroy {
    isOpen = false;
    async onApplicationBootstrap() {
      await new Promise((resolve) => setImmediate(resolve));
      this.isOpen = true;
    }
    onModuleDestroy() {
      steps.push('closed');
      this.isOpen = false;
    }
  }
  @Controller()
  class OrdersController {
    @Inject(Database) readonly database!: Database;
    @EventPattern('message') arrived(_message: InboundMessage) {
      steps.push('arrived');
    }
    @MessagePattern('message/send') async answer() {
      await slow;
      steps.push(this.database.isOpen ? 'handled' : 'too late');
      return 'Done.';
    }
  }
  class Clerk {
    @OnMessage({ agent: 'support' }) answer() {
      return 'support';
    }
  }
  const stage = await openNestStage();
  const { promise: slow, resolve: goOn } = Promise.withResolvers<void>();
  const strategy = new MoleculeStrategy();
  const own = await stage.workspace({ strategy });
  const support = await stage.workspace();
  const root = moduleOf({
    imports: [MoleculeModule.forRoot(own), MoleculeModule.forRoot({ ...support, name: 'support' })],
    controllers: [OrdersController],
    providers: [Database, Clerk],
  });
  const app = await NestFactory.create(root, QUIET);
  const agent = app.get<RemoteAgent>(getAgentToken());
  app.connectMicroservice({ strategy });
  await app.startAllMicroservices();
  await app.startAllMicroservices(); // events are passed on once
  expect(agent.state).toBe('idle'); // the application has not started yet
  await app.init();
  await stage.online(agent);
  expect((await stage.ask(support.client.workspaceId, 'Hello')).text).toBe('support');
  const asked = stage.ask(own.client.workspaceId, 'Order 1');
  await stage.platform.clock.advanceUntil(() => agent.health().inFlight === 1);
  const closed = app.close();
  goOn();
  await stage.settled(closed);
  expect(steps).toEqual(['arrived', 'handled', 'closed']);
  expect([(await asked).text, agent.state]).toEqual(['Done.', 'stopped']);

  // The same object serves the next application, as with hot reloads.
  const next = stage.opened(
    await NestFactory.createMicroservice(
      moduleOf({
        imports: [MoleculeModule.forRoot({ ...own, ...(await stage.workspace()), strategy })],
        controllers: [OrdersController],
        providers: [Database],
      }),
      { ...QUIET, strategy },
    ),
  );
  await next.listen();
  await stage.online(next.get<RemoteAgent>(getAgentToken()));
  expect(strategy.unwrap<RemoteAgent>()).toBe(next.get<RemoteAgent>(getAgentToken()));
});

verifies('nestjs.modules.options', 'microservice: misconfigured', async () => {
  const stage = await openNestStage();
  const alone = new MoleculeStrategy();
  expect(() => alone.unwrap()).toThrow('This MoleculeStrategy has no agent.');
  const app = await NestFactory.createMicroservice(moduleOf({}), { ...QUIET, strategy: alone });
  await expect(app.listen()).rejects.toThrow('This MoleculeStrategy has no agent.');
  await app.close();

  const shared = new MoleculeStrategy();
  const two = moduleOf({
    imports: [
      MoleculeModule.forRoot(await stage.workspace({ strategy: shared })),
      MoleculeModule.forRoot({ ...(await stage.workspace({ strategy: shared })), name: 'support' }),
    ],
  });
  await expect(NestFactory.createApplicationContext(two, QUIET)).rejects.toThrow(
    'One MoleculeStrategy for two agents: the agent without a name and the agent "support".',
  );
  const running = await startMicroservice(stage, []);
  const other = moduleOf({
    imports: [MoleculeModule.forRoot(await stage.workspace({ strategy: running.strategy }))],
  });
  await expect(NestFactory.createApplicationContext(other, QUIET)).rejects.toThrow('has an agent that runs');
  const none = await stage.workspace({ strategy: {} as never });
  await expect(
    NestFactory.createApplicationContext(moduleOf({ imports: [MoleculeModule.forRoot(none)] }), QUIET),
  ).rejects.toThrow('strategy must be a MoleculeStrategy.');

  const handler = Object.assign(async () => of(1), {}) as never;
  const { strategy } = running;
  expect(() => strategy.addHandler('order_created', handler, true)).toThrow('an agent has no such event');
  expect(() => strategy.addHandler({ cmd: 'sum' }, handler)).toThrow(
    'a message has the name of its method only',
  );
  expect(() => strategy.addHandler('  ', handler)).toThrow('a message has the name of its method only');
  expect(() => strategy.on('nope', () => {})).toThrow('An agent has no event "nope".');
  strategy.addHandler('paused', handler, true);
  strategy.addHandler('paused', handler, true);
  expect(() => strategy.addHandler('paused', handler)).toThrow('Two methods have the pattern "paused".');
  strategy.addHandler('message/send', handler);
  expect(() => strategy.addHandler('message/send', handler)).toThrow(
    'Two methods have the pattern "message/send".',
  );
  let hasPaused = false;
  strategy.on('paused', () => {
    hasPaused = true;
  });
  await stage.settled(stage.operator.pause(running.id));
  await stage.platform.clock.advanceUntil(() => hasPaused);
});
