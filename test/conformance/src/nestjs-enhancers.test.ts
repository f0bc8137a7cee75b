import type { HandlerContext, InboundMessage } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  Message,
  MessageContext,
  MessageParams,
  type MessagePeer,
  MessageText,
  MoleculeModule,
  OnMessage,
  OnTask,
  Peer,
  Signal,
} from '@molecule-ai/nestjs';
import {
  type ArgumentsHost,
  Body,
  type CallHandler,
  type CanActivate,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Inject,
  Injectable,
  type NestInterceptor,
  ParseIntPipe,
  type PipeTransform,
  Scope,
  type Type,
  UseGuards,
  UseInterceptors,
  ValidationPipe,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory, REQUEST } from '@nestjs/core';
import { IsInt } from 'class-validator';
import { map } from 'rxjs';
import { expect } from 'vitest';
import { z } from 'zod';
import { moduleOf, openNestStage, QUIET } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

const KINDS = ['guard', 'pipe', 'interceptor', 'filter'] as const;

type Kind = (typeof KINDS)[number];

const TOKENS = { guard: APP_GUARD, pipe: APP_PIPE, interceptor: APP_INTERCEPTOR, filter: APP_FILTER };

interface Seen {
  readonly kind: Kind;
  readonly type: string | undefined;
  readonly request: string | undefined;
}

/** One enhancer of each kind in one class, as Nest makes it: a constructor that did not run would leave `#made` out. */
function enhancerOf(kind: Kind, scope: Scope, seen: Seen[]): Type {
  class Enhancer implements CanActivate, PipeTransform, NestInterceptor, ExceptionFilter {
    readonly request: InboundMessage | undefined;
    readonly #made = true;

    note(type: string | undefined): boolean {
      seen.push({ kind, type, request: this.request?.text });
      return this.#made;
    }
    canActivate(context: ExecutionContext) {
      return this.note(context.getType());
    }
    transform(value: unknown) {
      this.note(undefined);
      return `${value}, piped`;
    }
    intercept(context: ExecutionContext, next: CallHandler) {
      this.note(context.getType());
      return next.handle().pipe(map((answer) => `${answer}, intercepted`));
    }
    catch(error: Error, host: ArgumentsHost) {
      this.note(host.getType());
      return `${error.message}, filtered`;
    }
  }
  Injectable({ scope })(Enhancer);
  if (scope === Scope.REQUEST) Inject(REQUEST)(Enhancer.prototype, 'request');
  return Enhancer;
}

function deskClass(): Type {
  @Injectable()
  class Desk {
    @OnMessage()
    answer(@MessageText() text: string) {
      return `${text} done`;
    }
  }
  return Desk;
}

verifies('nestjs.enhancers.all', 'enhancers of several scopes for one static host', async () => {
  const seen: Seen[] = [];
  const Desk = deskClass();
  for (const scope of [Scope.TRANSIENT, Scope.DEFAULT]) {
    UseGuards(enhancerOf('guard', scope, seen) as never)(Desk);
  }
  UseInterceptors(enhancerOf('interceptor', Scope.TRANSIENT, seen))(Desk);
  const providers = [
    Desk,
    { provide: APP_GUARD, useClass: enhancerOf('guard', Scope.REQUEST, seen) },
    { provide: APP_PIPE, useClass: enhancerOf('pipe', Scope.TRANSIENT, seen) },
  ];
  const { start, ask } = await openNestStage();
  const { id } = await start({ providers });
  for (const text of ['tea', 'milk']) {
    expectAnswered(await ask(id, text), `${text}, piped done, intercepted`);
    const requests = seen.splice(0).map(({ kind, request }) => `${kind} ${request}`);
    const others = ['guard undefined', 'guard undefined', 'interceptor undefined', 'pipe undefined'];
    expect(requests).toEqual([`guard ${text}`, ...others]);
  }
});

verifies('nestjs.enhancers.all', 'a guard that says no ends the message', async () => {
  @Injectable()
  class Nobody implements CanActivate {
    canActivate() {
      return false;
    }
  }
  @Injectable()
  class Desk {
    @UseGuards(Nobody)
    @OnMessage()
    answer() {
      return 'done';
    }
  }
  const { start, ask } = await openNestStage();
  const { id } = await start({ providers: [Desk] });
  const reply = await ask(id, 'tea');
  expectStatus(reply, 'failed', 'forbidden');
  expect(reply.text).toBe('Forbidden resource.');
});

verifies('nestjs.enhancers.all', 'enhancers: global off', async () => {
  const seen: Seen[] = [];
  const providers = KINDS.flatMap((kind) =>
    [Scope.DEFAULT, Scope.REQUEST].map((scope) => ({
      provide: TOKENS[kind],
      useClass: enhancerOf(kind, scope, seen),
    })),
  );
  const { start, ask } = await openNestStage();
  const Own = enhancerOf('interceptor', Scope.DEFAULT, seen);
  const Desk = deskClass();
  UseInterceptors(Own)(Desk);
  const without = await start({ providers: [Desk, ...providers] }, { globalEnhancers: false });
  expectAnswered(await ask(without.id, 'tea'), 'tea done, intercepted');
  expect(seen).toHaveLength(1);
  const all = await start({ providers: [Desk, ...providers] });
  expectAnswered(await ask(all.id, 'tea'), /^tea, piped, piped done, intercepted, /);
});

verifies('nestjs.enhancers.all', 'enhancers that main.ts adds', async () => {
  const seen: Seen[] = [];
  const { workspace, opened, online, ask } = await openNestStage();
  const made = { guard: null, pipe: null, interceptor: null } as Record<string, object | null>;
  for (const kind of ['guard', 'pipe', 'interceptor'] as const)
    made[kind] = new (enhancerOf(kind, Scope.DEFAULT, seen))();
  for (const globalEnhancers of [true, false]) {
    const options = await workspace({ globalEnhancers });
    const root = moduleOf({
      imports: [MoleculeModule.forRoot(options)],
      providers: [deskClass()],
    });
    const app = opened(await NestFactory.create(root, QUIET));
    app.useGlobalGuards(made.guard as CanActivate);
    app.useGlobalPipes(made.pipe as PipeTransform);
    app.useGlobalInterceptors(made.interceptor as NestInterceptor);
    await app.init();
    await online(app.get(getAgentToken()));
    const expected = globalEnhancers ? 'tea, piped done, intercepted' : 'tea done';
    expectAnswered(await ask(options.client.workspaceId, 'tea'), expected);
  }
  expect(seen.map(({ kind }) => kind)).toEqual(['guard', 'interceptor', 'pipe']);
});

verifies('nestjs.enhancers.all', 'enhancers: http guards', async () => {
  const types: string[] = [];
  /** An application's own guard, which knows requests of HTTP only. */
  @Injectable()
  class HttpAuth implements CanActivate {
    canActivate(context: ExecutionContext) {
      types.push(context.getType<string>());
      if (context.getType<string>() === 'molecule') return true;
      return context.switchToHttp().getRequest().headers.authorization === 'Bearer x';
    }
  }
  const { workspace, opened, online, ask, peer } = await openNestStage();
  const options = await workspace();
  @Controller('desk')
  class Desk {
    @Get()
    status() {
      return 'open';
    }
    @OnMessage()
    answer(@MessageText() text: string) {
      return `${text} done`;
    }
  }
  const root = moduleOf({
    imports: [MoleculeModule.forRoot(options)],
    controllers: [Desk],
    providers: [{ provide: APP_GUARD, useClass: HttpAuth }],
  });
  const app = opened(await NestFactory.create(root, QUIET));
  await app.listen(0, '127.0.0.1');
  await online(app.get(getAgentToken()));
  expectAnswered(await ask(options.client.workspaceId, 'tea'), 'tea done');
  expectAnswered(await (await peer()).client.callPeer(options.client.workspaceId, 'milk'), 'milk done');
  expect(types).toEqual(['molecule', 'molecule']);
  const url = `${await app.getUrl()}/desk`;
  expect((await fetch(url)).status).toBe(403);
  expect(await (await fetch(url, { headers: { authorization: 'Bearer x' } })).text()).toBe('open');
});

verifies('nestjs.enhancers.parameters', 'enhancers: parameters', async () => {
  class Order {
    @IsInt()
    count!: number;
  }
  const signals: unknown[] = [];
  @Injectable()
  class Desk {
    @OnMessage()
    answer(
      @Signal() signal: AbortSignal,
      @MessageContext() context: HandlerContext,
      @Message() message: InboundMessage,
      @Peer() peer: MessagePeer,
      @MessageText(z.string().max(3), new ParseIntPipe()) count: number,
    ) {
      signals.push(signal);
      return `${count + 1} ${signal === context.signal} ${message.text} ${peer.source}`;
    }
    @OnTask('delegate_task')
    order(@MessageParams() order: Order) {
      return `${order.constructor.name} ${order.count}`;
    }
  }
  // The method of the Python SDK, whose bodies are not ours.
  const { start, ask, delegate } = await openNestStage({ server: { contractCheck: 'responses' } });
  const providers = [
    Desk,
    // The strictest one: it validates parameters of own decorators as well.
    { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true, validateCustomDecorators: true }) },
  ];
  const { id } = await start({ providers });
  expectAnswered(await ask(id, '41'), '42 true 41 canvas_user');
  expect(signals[0]).toBeInstanceOf(AbortSignal);
  const long = await ask(id, '4100');
  expectStatus(long, 'failed', 'bad_request');
  expect(long.text).toMatch(/^Too big: .*3 characters\.$/);
  const word = await ask(id, 'tea');
  expectStatus(word, 'failed', 'bad_request');
  expect(word.text).toBe('Validation failed (numeric string is expected).');
  expectAnswered(await delegate(id, { count: 3 }), 'Order 3');
  const wrong = await delegate(id, { count: 'three' });
  expectStatus(wrong, 'failed', 'bad_request');
  expect(wrong.text).toBe('count must be an integer number.');
});

verifies('nestjs.messages.wrong-handlers', 'enhancers: left out', async () => {
  class Guard implements CanActivate {
    canActivate() {
      return true;
    }
  }
  @Injectable()
  class Desk {
    @UseGuards(Guard)
    @OnMessage()
    answer() {
      return 'done';
    }
  }
  const { start } = await openNestStage();
  const problem = /Nest does not run Guard for Desk\.answer \(AppModule\)/;
  await expect(start({ providers: [{ provide: 'DESK', useFactory: () => new Desk() }] })).rejects.toThrow(
    problem,
  );
  await expect(start({ providers: [{ provide: 'DESK', useValue: new Desk() }] })).rejects.toThrow(problem);
  @Injectable()
  class Trim implements PipeTransform {
    transform(value: string) {
      return value.trim();
    }
  }
  @Injectable()
  class Counter {
    @OnMessage()
    answer(@MessageText(Trim) text: string) {
      return text;
    }
  }
  const counter = { provide: 'COUNTER', useFactory: () => new Counter() };
  await expect(start({ providers: [counter] })).rejects.toThrow(/Nest does not run Trim for Counter\.answer/);
});

verifies(
  'nestjs.messages.wrong-handlers',
  'a guard of another scope, which Nest made for another class',
  async () => {
    const { start, ask } = await openNestStage();
    for (const scope of [Scope.REQUEST, Scope.TRANSIENT]) {
      @Injectable({ scope })
      class Guard implements CanActivate {
        readonly #denied = ['tea'];
        readonly denied = this.#denied;

        // Lets everything pass when its constructor has not run.
        canActivate(context: ExecutionContext) {
          return !this.denied?.includes(context.getArgs<[InboundMessage]>()[0].text);
        }
      }
      @Injectable()
      class Desk {
        @UseGuards(Guard)
        @OnMessage()
        answer() {
          return 'done';
        }
      }
      @Injectable()
      class Other {
        @UseGuards(Guard)
        work() {}
      }
      const { id } = await start({ providers: [Other, Desk] });
      expectStatus(await ask(id, 'tea'), 'failed', 'forbidden');
      for (const made of [{ useFactory: () => new Desk() }, { useValue: new Desk() }]) {
        await expect(start({ providers: [Other, { provide: 'DESK', ...made }] })).rejects.toThrow(
          /Nest does not run Guard for Desk\.answer \(AppModule\)/,
        );
      }
    }
  },
);

verifies('nestjs.messages.wrong-handlers', 'parameter decorators of other packages', async () => {
  expect(() => MessageText('text' as never)).toThrow(
    /@MessageText\(\) takes pipes and schemas of Standard Schema only/,
  );
  @Injectable()
  class Desk {
    @OnMessage()
    answer(@Body() body: unknown) {
      return body as string;
    }
  }
  const { start } = await openNestStage();
  await expect(start({ providers: [Desk] })).rejects.toThrow(
    /Desk\.answer \(AppModule\) has a parameter decorator for another kind of call/,
  );
});
