import type { HandlerContext, InboundMessage, PeerReply } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import { getAgentToken, MessageContext, MessageText, MoleculeModule, OnMessage } from '@molecule-ai/nestjs';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  RequestTimeoutException,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import {
  catchError,
  concatWith,
  from,
  map,
  mergeMap,
  NEVER,
  type Observable,
  of,
  retry,
  tap,
  throwError,
  timeout,
} from 'rxjs';
import { expect } from 'vitest';
import { moduleOf, type NestStage, openNestStage, QUIET } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

type Work = (text: string, context: HandlerContext) => unknown;

function deskOf(work: Work, ...decorators: ClassDecorator[]): Type {
  @Injectable()
  class Desk {
    @OnMessage()
    answer(@MessageText() text: string, @MessageContext() context: HandlerContext): unknown {
      return work(text, context);
    }
  }
  for (const decorate of decorators) decorate(Desk);
  return Desk;
}

function intercepting(intercept: (next: CallHandler) => Observable<unknown> | Promise<Observable<unknown>>) {
  @Injectable()
  class Interceptor implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler) {
      return intercept(next);
    }
  }
  return UseInterceptors(Interceptor);
}

/** What a sender that reads the stream gets, and what it learns at its end. */
async function streamed(
  { operator, settled }: NestStage,
  id: string,
  sent = 'x',
): Promise<readonly [string, PeerReply]> {
  const stream = operator.streamMessage(id, sent);
  let text = '';
  const read = async () => {
    for await (const piece of stream) text += piece;
    return stream.reply();
  };
  const reply = await settled(read());
  return [text, reply];
}

verifies('nestjs.enhancers.interceptors', 'enhancers: interceptors', async () => {
  const stage = await openNestStage();
  const { start, ask, settled } = stage;
  let calls = 0;
  const attempts = new Set<number>();
  const fails =
    (times: number) =>
    (text: string, { attempt }: HandlerContext) => {
      calls += 1;
      attempts.add(attempt);
      if (calls <= times) throw new Error('busy');
      return `${text} done`;
    };
  const endsLate = timeout<unknown, Observable<never>>({
    each: 1,
    with: () => throwError(() => new RequestTimeoutException('Too late')),
  });
  const done = fails(0);
  const cases: Record<string, readonly [Work, ClassDecorator, string, number]> = {
    map: [done, intercepting((next) => next.handle().pipe(map((text) => `<${text}>`))), '<x done>', 1],
    retry: [fails(2), intercepting((next) => next.handle().pipe(retry(2))), 'x done', 3],
    'retry of a stream': [
      (text, context) => from([`${text} `]).pipe(concatWith(of('').pipe(map(() => fails(1)(text, context))))),
      intercepting((next) => next.handle().pipe(retry(1))),
      'x x x done',
      2,
    ],
    cache: [done, intercepting(() => of('cached')), 'cached', 0],
    'a promise of a cache': [done, intercepting(async () => of('cached')), 'cached', 0],
    catch: [fails(1), intercepting((next) => next.handle().pipe(catchError(() => of('sorry')))), 'sorry', 1],
    'a second text': [
      done,
      intercepting((next) => next.handle().pipe(concatWith(of('. Bye.')))),
      'x done. Bye.',
      1,
    ],
    'each text twice': [
      done,
      intercepting((next) => next.handle().pipe(mergeMap((text) => of(text, text)))),
      'x donex done',
      1,
    ],
    'a timeout that is not reached': [
      done,
      intercepting((next) => next.handle().pipe(timeout(600_000))),
      'x done',
      1,
    ],
  };
  for (const [name, [work, decorate, expected, expectedCalls]] of Object.entries(cases)) {
    const { id, app } = await start({ providers: [deskOf(work, decorate)] });
    calls = 0;
    const reply = await ask(id, 'x');
    expect([reply.status, reply.text, calls], name).toEqual(['answered', expected, expectedCalls]);
    calls = 0;
    expect((await streamed(stage, id))[0], name).toBe(expected);
    await settled(app.close());
  }
  // Core did not repeat any of them.
  expect([...attempts]).toEqual([1]);

  const ways: Record<string, Work> = {
    'never a value': () => NEVER,
    'a promise': () => new Promise(() => {}),
    'a beginning': () => of('beginning ').pipe(concatWith(NEVER)),
  };
  const hanging: Work = (text, context) => ways[text]?.(text, context);
  const ending = intercepting((next) => next.handle().pipe(endsLate));
  const { id } = await start({ providers: [deskOf(hanging, ending)] });
  for (const name of Object.keys(ways)) {
    const reply = await ask(id, name);
    expectStatus(reply, 'failed', 'request_timeout');
    expect(reply.text, name).toBe('Too late.');
  }
});

verifies('nestjs.enhancers.interceptors', 'an interceptor gets an AsyncIterable as one value', async () => {
  const stage = await openNestStage();
  async function* texts() {
    yield* ['one ', 'two'];
  }
  const seen: unknown[] = [];
  const passOn = intercepting((next) => next.handle().pipe(tap((value) => seen.push(value))));
  const { id } = await stage.start({ providers: [deskOf(texts, passOn)] });
  expectAnswered(await stage.ask(id, 'x'), 'one two');
  expect(seen.map((value) => typeof value)).toEqual(['object']);
});

verifies('nestjs.enhancers.all', 'enhancers of a base class and of its method', async () => {
  const guarded: string[] = [];
  class Guard implements CanActivate {
    canActivate(context: ExecutionContext) {
      guarded.push(`${context.getClass().name}.${context.getHandler().name}`);
      return true;
    }
  }
  @UseGuards(Guard)
  abstract class Base {
    abstract readonly word: string;

    @OnMessage()
    @UseGuards(Guard)
    answer(@MessageText() text: string) {
      return `${text} ${this.word}`;
    }
  }
  @Injectable()
  class Desk extends Base {
    readonly word = 'done';
  }
  const { start, ask } = await openNestStage();
  const { id } = await start({ providers: [Desk] });
  expectAnswered(await ask(id, 'tea'), 'tea done');
  expect(guarded).toEqual(['Desk.answer', 'Desk.answer']);
});

verifies('nestjs.errors.filters', 'an error in the middle of each kind of stream', async () => {
  const stage = await openNestStage();
  const { start, ask, settled } = stage;
  async function* slowly({ client }: HandlerContext) {
    for (const text of ['one ', 'two ']) {
      yield text;
      await clientPort(client).clock.sleep(1_000);
    }
    throw new Error('broken');
  }
  const works: Record<string, Work> = {
    observable: (_text, context) => from(slowly(context)),
    'observable at once': () => of('one ', 'two ').pipe(concatWith(throwError(() => new Error('broken')))),
    iterable: (_text, context) => slowly(context),
  };
  const caught: string[] = [];
  const filterOf = (answer: (error: Error) => unknown) => {
    @Catch()
    class Filter implements ExceptionFilter {
      catch(error: Error, host: ArgumentsHost) {
        caught.push(host.getArgs<[InboundMessage]>()[0].text);
        return answer(error);
      }
    }
    return UseFilters(Filter);
  };
  const sorry = filterOf(({ message }) => `sorry, ${message}`);
  const throws = filterOf(() => {
    throw new RequestTimeoutException('Too late');
  });
  const passOn = intercepting((next) => next.handle().pipe(map((text) => text)));
  const work: Work = (text, context) => works[text]?.(text, context);
  const names = Object.keys(works);
  for (const decorators of [[], [passOn]]) {
    const answering = await start({ providers: [deskOf(work, sorry, ...decorators)] });
    for (const name of names) {
      expectAnswered(await ask(answering.id, name), 'one two sorry, broken');
      const [text, end] = await streamed(stage, answering.id, name);
      expect([text, end.text], name).toEqual(Array(2).fill('one two sorry, broken'));
    }
    const failing = await start({ providers: [deskOf(work, throws, ...decorators)] });
    for (const name of names) {
      expectStatus(await ask(failing.id, name), 'failed', 'request_timeout');
      expectStatus((await streamed(stage, failing.id, name))[1], 'failed', 'request_timeout');
    }
    expect(caught.splice(0)).toEqual([...names, ...names].flatMap((name) => [name, name]));
    for (const { app } of [answering, failing]) await settled(app.close());
  }
});

verifies('nestjs.enhancers.all', 'enhancers: per agent', async () => {
  const stage = await openNestStage();
  const { workspace, opened, online, ask } = stage;
  const guarded: string[] = [];
  class Guard implements CanActivate {
    canActivate(context: ExecutionContext) {
      guarded.push(`${context.getClass().name}.${context.getHandler().name}`);
      return true;
    }
  }
  const adding = (word: string) =>
    intercepting((next) => next.handle().pipe(map((text) => `${text} ${word}`)));
  @Injectable()
  class Global implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler) {
      return next.handle().pipe(map((text) => `${text} globally`));
    }
  }
  @Injectable()
  class Desk {
    @OnMessage({ agent: 'sales' })
    @adding('sold')
    sell(@MessageText() text: string) {
      return `${text} is`;
    }
    @OnMessage({ agent: 'support' })
    @adding('mended')
    mend(@MessageText() text: string) {
      return `${text} was`;
    }
  }
  const [sales, support] = [await workspace(), await workspace({ globalEnhancers: false })];
  const root = moduleOf({
    imports: [
      MoleculeModule.forRoot({ ...sales, name: 'sales' }),
      MoleculeModule.forRoot({ ...support, name: 'support' }),
    ],
    providers: [
      Desk,
      { provide: APP_GUARD, useClass: Guard },
      { provide: APP_INTERCEPTOR, useClass: Global },
    ],
  });
  const app = opened(await NestFactory.createApplicationContext(root, QUIET));
  for (const name of ['sales', 'support']) await online(app.get(getAgentToken(name)));
  expectAnswered(await ask(sales.client.workspaceId, 'tea'), 'tea is sold globally');
  expectAnswered(await ask(support.client.workspaceId, 'tea'), 'tea was mended');
  expect(guarded).toEqual(['Desk.sell']);
});

verifies('nestjs.messages.cancelled', 'enhancers: hanging', async () => {
  let isAsked = 0;
  let handled = 0;
  class Hanging implements CanActivate {
    canActivate(context: ExecutionContext): Promise<boolean> | boolean {
      const [{ text }] = context.getArgs<[{ text: string }]>();
      if (text !== 'hang') return true;
      isAsked += 1;
      return new Promise(() => {});
    }
  }
  const Desk = deskOf((text) => {
    handled += 1;
    return `${text} done`;
  }, UseGuards(Hanging));
  const { start, ask, peer, platform, settled } = await openNestStage();
  const { id, app, agent } = await start({ providers: [Desk] });
  const { client } = await peer();
  const sender = new AbortController();
  const cancelled = client.callPeer(id, 'hang', { signal: sender.signal });
  cancelled.catch(() => {});
  await platform.clock.advanceUntil(() => isAsked === 1);
  sender.abort();
  await platform.clock.advanceUntil(() => agent.health().inFlight === 0);
  expectAnswered(await ask(id, 'tea'), 'tea done');

  const left = client.callPeer(id, 'hang');
  left.catch(() => {});
  await platform.clock.advanceUntil(() => isAsked === 2);
  await settled(app.close());
  expect([agent.state, handled]).toEqual(['stopped', 1]);
});
