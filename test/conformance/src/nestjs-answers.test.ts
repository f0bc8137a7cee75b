import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { HandlerContext, InboundMessage, PeerReply } from '@molecule-ai/core';
import { MessageFailure, MoleculeError } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import { MessageContext, MessageText, OnAnswer, OnMessage } from '@molecule-ai/nestjs';
import { MoleculeRpcException } from '@molecule-ai/nestjs/microservice';
import {
  type ArgumentsHost,
  BadRequestException,
  type CallHandler,
  Catch,
  ConflictException,
  type ExceptionFilter,
  type ExecutionContext,
  HttpException,
  Injectable,
  type NestInterceptor,
  type Type,
  UnprocessableEntityException,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { concat, EMPTY, from, NEVER, Observable, of, type Subscriber, throwError, timer } from 'rxjs';
import { concatMap, finalize, map, tap } from 'rxjs/operators';
import { expect } from 'vitest';
import { type NestStage, openNestStage } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

type Work = (text: string, context: HandlerContext) => unknown;

/** A provider whose method does this. */
function deskOf(work: Work, ...decorators: ClassDecorator[]): Type {
  @Injectable()
  class Desk {
    @OnMessage()
    answer(@MessageText() text: string, @MessageContext() context: HandlerContext): unknown {
      return work(text, context);
    }

    @OnAnswer()
    later(): void {}
  }
  for (const decorate of decorators) decorate(Desk);
  return Desk;
}

class PassOn implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(tap());
  }
}

/** A provider whose method does that of these works whose name is the text of the message. */
function deskOfAll(works: Readonly<Record<string, Work>>, ...decorators: ClassDecorator[]): Type {
  const work: Work = (text, context) => {
    const named = works[text];
    if (named === undefined) throw new Error(`There is no work ${text}.`);
    return named(text, context);
  };
  return deskOf(work, ...decorators);
}

/** The replies to these texts, asked at once, each in a conversation of its own. */
async function repliesOf({ operator, settled }: NestStage, id: string, texts: readonly string[]) {
  const asked = texts.map(async (text): Promise<[string, PeerReply]> => {
    const reply = await operator.sendMessage(id, text, { contextId: crypto.randomUUID() });
    const isQueued = reply.status === 'queued';
    return [text, isQueued ? await operator.waitForAnswer(id, reply.messageId) : reply];
  });
  return Object.fromEntries(await settled(Promise.all(asked)));
}

/** Starts one application with these works, and asks for all of them. */
async function repliesTo(
  stage: NestStage,
  works: Readonly<Record<string, Work>>,
  ...decorators: ClassDecorator[]
): Promise<Replies> {
  const { id } = await stage.start({ providers: [deskOfAll(works, ...decorators)] }, AT_ONCE);
  return repliesOf(stage, id, Object.keys(works));
}

/** By the names of works. */
type Replies = Readonly<Record<string, PeerReply>>;

const AT_ONCE = { agent: { concurrency: 50 } };

/** The one reply with this name. */
function replyOf(replies: Replies, name: string | number): PeerReply {
  const reply = replies[name];
  if (reply === undefined) throw new Error(`There is no reply ${name}.`);
  return reply;
}

/** Works by the names `0`, `1` … */
function numbered(works: readonly Work[]): Readonly<Record<string, Work>> {
  return Object.fromEntries(works.map((work, index) => [String(index), work]));
}

/** What a sender that reads the stream gets. */
async function piecesOf({ operator }: NestStage, id: string, text: string): Promise<string[]> {
  const pieces: string[] = [];
  const stream = operator.streamMessage(id, text, { contextId: crypto.randomUUID() });
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

async function* slowly(context: HandlerContext, ...texts: string[]) {
  for (const text of texts) {
    yield text;
    await clientPort(context.client).clock.sleep(1_000);
  }
}

verifies('nestjs.answers.streamed', 'answers: streamed', async () => {
  const stage = await openNestStage();
  const { start, settled } = stage;
  const texts = ['one ', 'two ', 'three'];
  const works: Record<string, Work> = {
    iterable: (_text, context) => slowly(context, ...texts),
    'promised iterable': async (_text, context) => slowly(context, ...texts),
    observable: (_text, context) => from(slowly(context, ...texts)),
    'promised observable': async (_text, context) => from(slowly(context, ...texts)),
    'observable of iterables': (_text, context) =>
      of(slowly(context, 'one ', 'two '), slowly(context, 'three')),
    'at once': () => from(texts),
    'of another library': (_text, context) => {
      const source = from(slowly(context, ...texts));
      const foreign = {
        lift() {},
        subscribe: (subscriber: Subscriber<string>) => source.subscribe(subscriber),
        '@@observable': () => foreign,
      };
      return foreign;
    },
  };
  for (const decorators of [[], [UseInterceptors(PassOn)]]) {
    const { id } = await start({ providers: [deskOfAll(works, ...decorators)] }, AT_ONCE);
    const names = Object.keys(works);
    const replies = await repliesOf(stage, id, names);
    const streams = await settled(Promise.all(names.map((name) => piecesOf(stage, id, name))));
    for (const [index, name] of names.entries()) {
      expectAnswered(replyOf(replies, name), 'one two three');
      const pieces = streams[index] ?? [];
      expect(pieces.join(''), name).toBe('one two three');
      if (name !== 'at once') expect(pieces.length, name).toBeGreaterThan(1);
    }
  }
});

verifies('nestjs.answers.streamed', 'an interceptor changes the texts of a stream', async () => {
  class Loud implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler) {
      return next.handle().pipe(map((text: string) => text.toUpperCase()));
    }
  }
  const stage = await openNestStage();
  const work: Work = (_text, context) => from(slowly(context, 'one ', 'two'));
  const { id } = await stage.start({ providers: [deskOf(work, UseInterceptors(Loud))] });
  expect((await stage.settled(piecesOf(stage, id, 'x'))).join('')).toBe('ONE TWO');
});

verifies('nestjs.enhancers.interceptors', 'answers: one value', async () => {
  const stage = await openNestStage();
  const question = { kind: 'text' as const, text: 'Which colour?', from: 'user' as const };
  const works: Record<string, Work> = {
    text: () => 'done',
    content: () => ({ text: 'see', parts: [{ kind: 'data', type: 'data', data: { n: 1 } }] }),
    question: () => ({ text: '', questions: [question] }),
    nothing: () => undefined,
    empty: () => EMPTY,
    'one text': () => of('done'),
    late: (_text, { client }) => timer(0).pipe(concatMap(() => (client ? of('done') : EMPTY))),
    replied: async (_text, context) => {
      await context.reply('done');
    },
  };
  const streamed: string[] = [];
  const noted = Object.entries(works).map(([name, work]): [string, Work] => [
    name,
    (text, context) => {
      const { stream } = context;
      const counted = (delta: string) => {
        streamed.push(name);
        return stream(delta);
      };
      Object.assign(context, { stream: counted });
      return work(text, context);
    },
  ]);
  const replies = await repliesTo(stage, Object.fromEntries(noted), UseInterceptors(PassOn));
  expect(streamed).toEqual([]);
  for (const name of ['text', 'one text', 'late', 'replied']) expectAnswered(replyOf(replies, name), 'done');
  const content = replyOf(replies, 'content');
  expectAnswered(content, 'see');
  expect(content.parts.at(-1)).toMatchObject({ data: { n: 1 } });
  const asked = replyOf(replies, 'question');
  expectStatus(asked, 'input-required');
  expect(asked.questions).toMatchObject([{ text: 'Which colour?' }]);
  for (const name of ['nothing', 'empty']) expectStatus(replyOf(replies, name), 'unanswered');
});

verifies('nestjs.messages.cancelled', 'answers: abort', async () => {
  const { start, peer, platform, settled } = await openNestStage();
  const ended: string[] = [];
  const works: Work[] = [
    () =>
      new Observable<string>((subscriber) => {
        subscriber.next('beginning');
        return () => ended.push('observable');
      }),
    () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: async () => {
          ended.push('iterable');
          return { done: true, value: undefined };
        },
      }),
    }),
    () => NEVER.pipe(finalize(() => ended.push('silent observable'))),
  ];
  const other = await peer();
  for (const [index, work] of works.entries()) {
    let hasBegun = false;
    const noted: Work = (text, context) => {
      hasBegun = true;
      return work(text, context);
    };
    const { id, app, agent } = await start({ providers: [deskOf(noted)] });
    const stuck: unknown[] = [];
    agent.on('stuck', (message) => stuck.push(message));
    const sender = new AbortController();
    const call = other.client.callPeer(id, 'x', { signal: sender.signal });
    call.catch(() => {});
    await platform.clock.advanceUntil(() => hasBegun);
    sender.abort();
    await platform.clock.advanceUntil(() => ended.length === index + 1);
    await platform.clock.advanceUntil(() => agent.health().inFlight === 0);
    expect(stuck).toEqual([]);
    await settled(app.close());
  }
  expect(ended).toEqual(['observable', 'iterable', 'silent observable']);
});

verifies('nestjs.answers.streamed', 'answers: bounded', async () => {
  const { start, ask } = await openNestStage();
  let given = 0;
  const work: Work = () =>
    new Observable<string>((subscriber) => {
      while (!subscriber.closed) {
        given += 1;
        subscriber.next('x'.repeat(1024 * 1024));
      }
    });
  const { id } = await start({ providers: [deskOf(work)] });
  expectStatus(await ask(id, 'x'), 'failed', 'agent_answer_too_large');
  expect(given).toBeLessThan(13);
});

verifies('nestjs.answers.streamed', 'values without a text', async () => {
  const stage = await openNestStage();
  const given: Record<string, number> = { texts: 0, iterables: 0 };
  const attempts: string[] = [];
  const endless = (valueAt: (index: number) => unknown): Work => {
    return (name) => {
      attempts.push(name);
      return new Observable<unknown>((subscriber) => {
        for (let index = 0; !subscriber.closed; index += 1) {
          given[name] = index + 1;
          subscriber.next(valueAt(index));
        }
      });
    };
  };
  const iterable = () => ({ async *[Symbol.asyncIterator]() {} });
  const replies = await repliesTo(stage, {
    iterables: endless(iterable),
    // The iterables count for nearly all that may be read, the others for one character each.
    texts: endless((index) => (index < 10_200 ? iterable() : index % 2 === 0 ? '' : undefined)),
  });
  for (const name of ['texts', 'iterables']) expectStatus(replyOf(replies, name), 'failed', 'invalid_answer');
  expect(given.iterables).toBeLessThan(11_000);
  expect(given.texts).toBeGreaterThan(11_000);
  expect(given.texts).toBeLessThan(60_000);
  expect(attempts.sort()).toEqual(['iterables', 'texts']);
});

verifies('nestjs.answers.streamed', 'answers: many pieces', async () => {
  const { start, ask } = await openNestStage();
  // Each piece that moved all that follow would take minutes.
  const { id } = await start({ providers: [deskOf(() => from(Array<string>(200_000).fill('a ')))] });
  expectAnswered(await ask(id, 'x'), 'a '.repeat(200_000));
});

verifies('nestjs.answers.streamed', 'pieces of an iterable', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const pieces: WeakRef<object>[] = [];
  let kept = 0;
  const work: Work = () => ({
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        if (pieces.length < 2_000) {
          const result = { done: false, value: 'a' };
          pieces.push(new WeakRef(result));
          return result;
        }
        // A reference that was made in this turn is held until its end.
        await new Promise((resolve) => setImmediate(resolve));
        collectGarbage();
        kept = pieces.filter((piece) => piece.deref() !== undefined).length;
        return { done: true, value: undefined };
      },
    }),
  });
  const { start, ask } = await openNestStage();
  const { id } = await start({ providers: [deskOf(work)] });
  expectAnswered(await ask(id, 'x'), 'a'.repeat(2_000));
  expect(kept).toBeLessThan(20);
});

verifies('agent.invalid-answer', 'answers: invalid', async () => {
  const stage = await openNestStage();
  const values: (() => unknown)[] = [
    () => 42,
    () => of(42),
    () => of('text ', 42),
    () => of({ text: 'content' }, 'after'),
    () => of(['list']),
  ];
  const attempts = values.map(() => 0);
  const works = values.map((make, index): Work => {
    return () => {
      attempts[index] = (attempts[index] ?? 0) + 1;
      return make();
    };
  });
  const replies = await repliesTo(stage, numbered(works));
  for (const reply of Object.values(replies)) expectStatus(reply, 'failed', 'invalid_answer');
  expect(attempts).toEqual(values.map(() => 1));
});

class OrderException extends RpcException {}

verifies('nestjs.errors.for-the-caller', 'errors: for the caller', async () => {
  const stage = await openNestStage();
  const failures: [unknown, string, string][] = [
    [new BadRequestException('No such order'), 'bad_request', 'No such order.'],
    [new BadRequestException(['a is wrong', 'b is\n missing']), 'bad_request', 'a is wrong; b is missing.'],
    [new BadRequestException('property \u001b[31m\u202eevil\u0000'), 'bad_request', 'property [31m evil.'],
    [new ConflictException({ message: 'It was shipped!', secret: 'x' }), 'conflict', 'It was shipped!'],
    [
      new UnprocessableEntityException({ secret: 'x' }),
      'unprocessable_entity',
      'Unprocessable Entity Exception.',
    ],
    [new HttpException('Slow down', 429), 'too_many_requests', 'Slow down.'],
    [new RpcException('No such order'), 'handler_failed', 'No such order.'],
    [new OrderException('No such order'), 'handler_failed', 'No such order.'],
    [new RpcException({ message: 'No such order', at: 'x' }), 'handler_failed', 'No such order.'],
    [new MessageFailure('Of core', { code: 'own' }), 'own', 'Of core'],
    [new BadRequestException('x'.repeat(2_000)), 'bad_request', `${'x'.repeat(499)}…`],
  ];
  const attempts = failures.map(() => 0);
  const works = failures.map(([error], index): Work => {
    return () => {
      attempts[index] = (attempts[index] ?? 0) + 1;
      throw error;
    };
  });
  const replies = await repliesTo(stage, numbered(works));
  for (const [index, [_error, code, text]] of failures.entries()) {
    const reply = replyOf(replies, index);
    expectStatus(reply, 'failed', code);
    expect(reply.text).toBe(text);
  }
  expect(attempts).toEqual(failures.map(() => 1));
});

verifies('nestjs.errors.secrets', async () => {
  const stage = await openNestStage();
  const errors: [(token: string) => unknown, string][] = [
    [(token) => new BadRequestException(`bad ${token}, again ${token}`), 'bad [redacted], again [redacted].'],
    [(token) => new RpcException(`Bearer:${token}`), 'Bearer:[redacted].'],
    [(token) => new MessageFailure(`bad ${token}`, { code: 'bad_request' }), 'bad [redacted]'],
    [(token) => new BadRequestException(`${'x '.repeat(240)}${token}`), `${'x '.repeat(240)}[redacted]…`],
  ];
  const works = errors.map(([make]): Work => {
    return async (_text, { client }) => {
      const token = await clientPort(client).currentToken();
      throw make(token ?? '');
    };
  });
  const replies = await repliesTo(stage, numbered(works));
  for (const [index, [_make, text]] of errors.entries()) {
    const reply = replyOf(replies, index);
    expectStatus(reply, 'failed');
    expect(reply.text).toBe(text);
  }
});

verifies('nestjs.errors.retried', 'errors: retried', async () => {
  const stage = await openNestStage();
  // An error of a call to a peer was not written for the sender.
  const ofCall = new MoleculeRpcException(new MoleculeError('SECRET', { code: 'access_denied' }));
  const statuses = [503, 302, 600, undefined, Number.NaN];
  const errors = [
    new Error('SECRET'),
    ...statuses.map((status) => new HttpException('SECRET', status as number)),
    'SECRET',
    ofCall,
  ];
  const works = errors.map((error): Work => {
    let attempts = 0;
    return () => {
      attempts += 1;
      if (attempts < 3) throw error;
      return `attempt ${attempts}`;
    };
  });
  const failing = [500, undefined].map((status): Work => {
    return () => {
      throw new HttpException('SECRET', status as number);
    };
  });
  const replies = await repliesTo(stage, numbered([...works, ...failing]));
  for (const [index] of works.entries()) expectAnswered(replyOf(replies, index), 'attempt 3');
  for (const [index] of failing.entries()) {
    const reply = replyOf(replies, works.length + index);
    expectStatus(reply, 'failed');
    expect(JSON.stringify(reply.toData())).not.toContain('SECRET');
  }
});

verifies('nestjs.errors.filters', 'errors: filters', async () => {
  const stage = await openNestStage();
  const failing: Work = () => throwError(() => new Error('broken'));
  const middle: Work = (_text, context) =>
    concat(
      from(slowly(context, 'one ', 'two ')),
      throwError(() => new Error('broken')),
    );
  const thrown: Work = () => {
    throw new Error('broken');
  };
  type Catching = (error: Error, host: ArgumentsHost) => unknown;
  const sorry: Catching = ({ message }, host) => `sorry, ${message} (${host.getType()})`;
  // A filter that returns nothing leaves the error as it is, also by a promise.
  const nothings = [() => undefined, () => null, async () => undefined, async () => null];
  const cases: Readonly<Record<string, readonly [Work, Catching]>> = {
    thrown: [thrown, sorry],
    failing: [failing, sorry],
    middle: [middle, sorry],
    observable: [thrown, async () => of('a ', 'b')],
    ...Object.fromEntries(nothings.map((nothing, index) => [`nothing ${index}`, [thrown, nothing] as const])),
    'other error': [
      thrown,
      () => {
        throw new BadRequestException('No such order');
      },
    ],
    'observable of an error': [thrown, () => throwError(() => new RpcException('no'))],
    // Of HTTP: it answers a response, which a message does not have. Its own error is retried as any other.
    http: [thrown, (_error, host) => host.switchToHttp().getResponse().status(500).json({})],
  };
  const filtered: Record<string, string[]> = {};
  @Catch()
  class Filter implements ExceptionFilter {
    catch(error: Error, host: ArgumentsHost) {
      const [{ text }] = host.getArgs<[InboundMessage]>();
      filtered[text] = [...(filtered[text] ?? []), error.message];
      return cases[text]?.[1](error, host);
    }
  }
  const works = Object.entries(cases).map(([name, [work]]): [string, Work] => [name, work]);
  const replies = await repliesTo(stage, Object.fromEntries(works), UseFilters(Filter));
  expectAnswered(replyOf(replies, 'thrown'), 'sorry, broken (molecule)');
  expectAnswered(replyOf(replies, 'failing'), 'sorry, broken (molecule)');
  expectAnswered(replyOf(replies, 'middle'), 'one two sorry, broken (molecule)');
  expectAnswered(replyOf(replies, 'observable'), 'a b');
  for (const [index] of nothings.entries()) {
    expectStatus(replyOf(replies, `nothing ${index}`), 'failed', 'handler_failed');
    expect(filtered[`nothing ${index}`]).toHaveLength(5);
  }
  expectStatus(replyOf(replies, 'other error'), 'failed', 'bad_request');
  expectStatus(replyOf(replies, 'observable of an error'), 'failed');
  const http = replyOf(replies, 'http');
  expectStatus(http, 'failed');
  expect(http.code).not.toBe('bad_request');
  expect(filtered.http).toHaveLength(5);
  for (const name of ['thrown', 'failing', 'middle', 'observable', 'other error', 'observable of an error']) {
    expect(filtered[name], name).toEqual(['broken']);
  }
});
