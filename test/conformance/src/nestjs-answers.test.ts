import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { HandlerContext, PeerReply } from '@molecule-ai/core';
import { MessageFailure, MoleculeError } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import { MessageContext, MessageText, OnMessage } from '@molecule-ai/nestjs';
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
  }
  for (const decorate of decorators) decorate(Desk);
  return Desk;
}

class PassOn implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(tap());
  }
}

/** What a sender that reads the stream gets. */
async function piecesOf({ operator, settled }: NestStage, id: string, text: string): Promise<string[]> {
  const pieces: string[] = [];
  const read = async () => {
    for await (const piece of operator.streamMessage(id, text)) pieces.push(piece);
  };
  await settled(read());
  return pieces;
}

async function* slowly(context: HandlerContext, ...texts: string[]) {
  for (const text of texts) {
    yield text;
    await context.client.clock.sleep(1_000);
  }
}

verifies('nestjs.answers.streamed', 'answers: streamed', async () => {
  const stage = await openNestStage();
  const { start, ask } = stage;
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
  for (const [name, work] of Object.entries(works)) {
    for (const decorators of [[], [UseInterceptors(PassOn)]]) {
      const { id, app } = await start({ providers: [deskOf(work, ...decorators)] });
      expectAnswered(await ask(id, 'x'), 'one two three');
      const pieces = await piecesOf(stage, id, 'x');
      expect(pieces.join(''), name).toBe('one two three');
      if (name !== 'at once') expect(pieces.length, name).toBeGreaterThan(1);
      await stage.settled(app.close());
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
  expect((await piecesOf(stage, id, 'x')).join('')).toBe('ONE TWO');
});

verifies('nestjs.enhancers.interceptors', 'answers: one value', async () => {
  const { start, ask, settled } = await openNestStage();
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
  const answerOf = async (work: Work): Promise<PeerReply> => {
    const streams: string[] = [];
    const noted: Work = (text, context) => {
      const { stream } = context;
      const counted = (delta: string) => {
        streams.push(delta);
        return stream(delta);
      };
      Object.assign(context, { stream: counted });
      return work(text, context);
    };
    const { id, app } = await start({ providers: [deskOf(noted, UseInterceptors(PassOn))] });
    const reply = await ask(id, 'x');
    expect(streams).toEqual([]);
    await settled(app.close());
    return reply;
  };
  for (const name of ['text', 'one text', 'late', 'replied'])
    expectAnswered(await answerOf(works[name] as Work), 'done');
  const content = await answerOf(works.content as Work);
  expectAnswered(content, 'see');
  expect(content.parts.at(-1)).toMatchObject({ data: { n: 1 } });
  const asked = await answerOf(works.question as Work);
  expectStatus(asked, 'input-required');
  expect(asked.questions).toMatchObject([{ text: 'Which colour?' }]);
  for (const name of ['nothing', 'empty']) expectStatus(await answerOf(works[name] as Work), 'unanswered');
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
  const { start, ask, settled } = await openNestStage();
  for (const [value, most] of [
    ['', 11_000_000],
    [undefined, 11_000_000],
    [{ async *[Symbol.asyncIterator]() {} }, 11_000],
  ] as const) {
    let given = 0;
    let attempts = 0;
    const work: Work = () => {
      attempts += 1;
      return new Observable<unknown>((subscriber) => {
        for (; !subscriber.closed; given += 1) subscriber.next(value);
      });
    };
    const { id, app } = await start({ providers: [deskOf(work)] });
    expectStatus(await ask(id, 'x'), 'failed', 'invalid_answer');
    expect(given).toBeLessThan(most);
    expect(attempts).toBe(1);
    await settled(app.close());
  }
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
  const { start, ask, settled } = await openNestStage();
  const works: Work[] = [
    () => 42,
    () => of(42),
    () => of('text ', 42),
    () => of({ text: 'content' }, 'after'),
    () => of(['list']),
  ];
  for (const work of works) {
    let attempts = 0;
    const counted: Work = (text, context) => {
      attempts += 1;
      return work(text, context);
    };
    const { id, app } = await start({ providers: [deskOf(counted)] });
    expectStatus(await ask(id, 'x'), 'failed', 'invalid_answer');
    expect(attempts).toBe(1);
    await settled(app.close());
  }
});

class OrderException extends RpcException {}

verifies('nestjs.errors.for-the-caller', 'errors: for the caller', async () => {
  const { start, ask, settled } = await openNestStage();
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
  for (const [error, code, text] of failures) {
    let attempts = 0;
    const work: Work = () => {
      attempts += 1;
      throw error;
    };
    const { id, app } = await start({ providers: [deskOf(work)] });
    const reply = await ask(id, 'x');
    expectStatus(reply, 'failed', code);
    expect(reply.text).toBe(text);
    expect(attempts).toBe(1);
    await settled(app.close());
  }
});

verifies('nestjs.errors.secrets', async () => {
  const { start, ask, settled } = await openNestStage();
  const errors: [(token: string) => unknown, string][] = [
    [(token) => new BadRequestException(`bad ${token}, again ${token}`), 'bad [redacted], again [redacted].'],
    [(token) => new RpcException(`Bearer:${token}`), 'Bearer:[redacted].'],
    [(token) => new MessageFailure(`bad ${token}`, { code: 'bad_request' }), 'bad [redacted]'],
    [(token) => new BadRequestException(`${'x '.repeat(240)}${token}`), `${'x '.repeat(240)}[redacted]…`],
  ];
  for (const [make, text] of errors) {
    const work: Work = async (_text, { client }) => {
      const token = await client.currentToken();
      throw make(token ?? '');
    };
    const { id, app } = await start({ providers: [deskOf(work)] });
    const reply = await ask(id, 'x');
    expectStatus(reply, 'failed');
    expect(reply.text).toBe(text);
    await settled(app.close());
  }
});

verifies('nestjs.errors.retried', 'errors: retried', async () => {
  const { start, ask, settled } = await openNestStage();
  // An error of a call to a peer was not written for the sender.
  const ofCall = new MoleculeRpcException(new MoleculeError('SECRET', { code: 'access_denied' }));
  const statuses = [503, 302, 600, undefined, Number.NaN];
  const errors = [
    new Error('SECRET'),
    ...statuses.map((status) => new HttpException('SECRET', status as number)),
    'SECRET',
    ofCall,
  ];
  for (const error of errors) {
    let attempts = 0;
    const work: Work = () => {
      attempts += 1;
      if (attempts < 3) throw error;
      return `attempt ${attempts}`;
    };
    const { id, app } = await start({ providers: [deskOf(work)] });
    expectAnswered(await ask(id, 'x'), 'attempt 3');
    await settled(app.close());
  }
  for (const status of [500, undefined]) {
    const { id } = await start({
      providers: [
        deskOf(() => {
          throw new HttpException('SECRET', status as number);
        }),
      ],
    });
    const reply = await ask(id, 'x');
    expectStatus(reply, 'failed');
    expect(JSON.stringify(reply.toData())).not.toContain('SECRET');
  }
});

verifies('nestjs.errors.filters', 'errors: filters', async () => {
  const { start, ask, settled } = await openNestStage();
  const filtered: unknown[] = [];
  const failing = (): Work => () => throwError(() => new Error('broken'));
  const middle = (): Work => (_text, context) =>
    concat(
      from(slowly(context, 'one ', 'two ')),
      throwError(() => new Error('broken')),
    );
  const thrown = (): Work => () => {
    throw new Error('broken');
  };
  const filterOf = (answer: (error: Error, host: ArgumentsHost) => unknown): ClassDecorator => {
    @Catch()
    class Filter implements ExceptionFilter {
      catch(error: Error, host: ArgumentsHost) {
        filtered.push(error.message);
        return answer(error, host);
      }
    }
    return UseFilters(Filter);
  };
  const replyTo = async (work: Work, filter: ClassDecorator) => {
    const { id, app } = await start({ providers: [deskOf(work, filter)] });
    const reply = await ask(id, 'x');
    await settled(app.close());
    return reply;
  };
  const sorry = filterOf(({ message }, host) => `sorry, ${message} (${host.getType()})`);
  expectAnswered(await replyTo(thrown(), sorry), 'sorry, broken (molecule)');
  expectAnswered(await replyTo(failing(), sorry), 'sorry, broken (molecule)');
  expectAnswered(await replyTo(middle(), sorry), 'one two sorry, broken (molecule)');
  expect(filtered).toEqual(['broken', 'broken', 'broken']);

  expectAnswered(
    await replyTo(
      thrown(),
      filterOf(async () => of('a ', 'b')),
    ),
    'a b',
  );
  // A filter that returns nothing leaves the error as it is, also by a promise.
  for (const nothing of [() => undefined, () => null, async () => undefined, async () => null]) {
    filtered.length = 0;
    expectStatus(await replyTo(thrown(), filterOf(nothing)), 'failed', 'handler_failed');
    expect(filtered).toHaveLength(5);
  }
  const other = filterOf(() => {
    throw new BadRequestException('No such order');
  });
  expectStatus(await replyTo(thrown(), other), 'failed', 'bad_request');
  expectStatus(
    await replyTo(
      thrown(),
      filterOf(() => throwError(() => new RpcException('no'))),
    ),
    'failed',
  );

  // A filter of HTTP that answers a response, which a message does not have: its own error is retried as any other.
  filtered.length = 0;
  const http = filterOf((_error, host) => host.switchToHttp().getResponse().status(500).json({}));
  const reply = await replyTo(thrown(), http);
  expectStatus(reply, 'failed');
  expect(reply.code).not.toBe('bad_request');
  expect(filtered).toHaveLength(5);
});
