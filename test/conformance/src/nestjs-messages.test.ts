import type { HandlerContext, InboundMessage } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import {
  MessageContext,
  type MessagePeer,
  MessageText,
  OnAgentEvent,
  OnMessage,
  OnPeerMessage,
  OnTask,
  OnUserMessage,
  Peer,
} from '@molecule-ai/nestjs';
import { Controller, Inject, Injectable, Scope } from '@nestjs/common';
import {
  type ContextId,
  ContextIdFactory,
  type ContextIdResolver,
  type ContextIdStrategy,
  type HostComponentInfo,
  REQUEST,
} from '@nestjs/core';
import { expect, onTestFinished } from 'vitest';
import { moduleOf, openNestStage } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

verifies('nestjs.messages.method', 'messages: method', async () => {
  @Injectable()
  class Shop {
    price(name: string) {
      return `${name} costs 3`;
    }
  }
  @Injectable()
  class Clerk {
    @Inject(Shop) readonly shop!: Shop;

    @OnMessage()
    answer(
      @MessageText() text: string,
      @Peer() peer: MessagePeer,
      @MessageContext() context: HandlerContext,
    ) {
      return `${this.shop.price(text)} for ${peer.source} "${peer.id}", attempt ${context.attempt}`;
    }
  }
  const { start, ask, peer } = await openNestStage();
  const { id } = await start({ providers: [Shop, Clerk] });
  expectAnswered(await ask(id, 'tea'), 'tea costs 3 for canvas_user "", attempt 1');
  const other = await peer();
  const reply = await other.client.callPeer(id, 'milk');
  expectAnswered(reply, `milk costs 3 for peer_agent "${other.id}", attempt 1`);
});

verifies('nestjs.messages.method', 'a method without parameter decorators', async () => {
  @Controller()
  class Clerk {
    readonly greeting = 'Hello';

    @OnMessage()
    answer(message: InboundMessage, { attempt }: HandlerContext) {
      return `${this.greeting} ${message.text} ${attempt}`;
    }
  }
  const { start, ask } = await openNestStage();
  const { id } = await start({ controllers: [Clerk] });
  expectAnswered(await ask(id, 'you'), 'Hello you 1');
});

verifies('nestjs.messages.precedence', async () => {
  const { start, ask, delegate, peer, settled } = await openNestStage({
    server: { contractCheck: 'responses' },
  });
  const [boss, clerk] = [await peer(), await peer()];
  @Injectable()
  class Desk {
    @OnMessage()
    rest() {
      return 'rest';
    }
    @OnPeerMessage({ from: [boss.id.toUpperCase()] })
    boss() {
      return 'boss';
    }
    @OnPeerMessage()
    peers() {
      return 'peers';
    }
    @OnTask('delegate_task')
    @OnTask('no_such_method')
    task(message: InboundMessage) {
      return `task of ${message.source}`;
    }
  }
  const { id, app } = await start({ providers: [Desk] });
  expectAnswered(await ask(id, 'x'), 'rest');
  expectAnswered(await boss.client.callPeer(id, 'x'), 'boss');
  expectAnswered(await clerk.client.callPeer(id, 'x'), 'peers');
  expectAnswered(await delegate(id, { task: 'Count.' }), 'task of canvas_user');
  await settled(app.close());

  @Injectable()
  class People {
    @OnUserMessage()
    people() {
      return 'people';
    }
  }
  const second = await start({ providers: [Desk, People] });
  expectAnswered(await ask(second.id, 'x'), 'people');
  expectAnswered(await clerk.client.callPeer(second.id, 'x'), 'peers');
});

verifies('nestjs.messages.unmatched', async () => {
  @Injectable()
  class Desk {
    @OnPeerMessage()
    answer() {
      return 'done';
    }
  }
  const { start, ask } = await openNestStage();
  const { id } = await start({ providers: [Desk] });
  const reply = await ask(id, 'x');
  expectStatus(reply, 'failed', 'no_handler');
  expect(reply.text).toBe('This agent does not handle messages of this kind.');
});

verifies('nestjs.messages.wrong-handlers', 'messages: duplicates', async () => {
  @Injectable()
  class Desk {
    @OnMessage()
    answer() {
      return 'one';
    }
  }
  @Controller()
  class Counter {
    @OnMessage()
    reply() {
      return 'two';
    }
  }
  const { start } = await openNestStage();
  const orders = moduleOf({ controllers: [Counter] }, 'OrdersModule');
  await expect(start({ imports: [orders], providers: [Desk] })).rejects.toThrow(
    'Two methods have @OnMessage() of the agent without a name: Desk.answer (AppModule) and Counter.reply (OrdersModule).',
  );
  const other = moduleOf({ providers: [Desk] }, 'OtherModule');
  await expect(start({ imports: [other], providers: [Desk] })).rejects.toThrow(
    /Desk\.answer \(AppModule\) and Desk\.answer \(OtherModule\)/,
  );
});

verifies('nestjs.messages.wrong-handlers', 'one instance under several tokens is one handler', async () => {
  @Injectable()
  class Desk {
    @OnMessage()
    answer() {
      return 'one';
    }
  }
  const { start, ask } = await openNestStage();
  const providers = [
    { provide: 'ALIAS', useExisting: Desk },
    { provide: 'SAME', useFactory: (desk: Desk) => desk, inject: [Desk] },
    Desk,
  ];
  const { id } = await start({ providers });
  expectAnswered(await ask(id, 'x'), 'one');
});

verifies('nestjs.messages.wrong-handlers', 'messages: missing', async () => {
  const { start, ask } = await openNestStage();
  await expect(start({})).rejects.toThrow(
    expect.objectContaining({
      code: 'configuration_invalid',
      message: 'No method handles the messages of the agent without a name.',
      hint: expect.stringContaining('@OnMessage()'),
    }),
  );
  @Injectable()
  class Desk {
    @OnMessage({ agent: 'support' })
    answer() {
      return 'done';
    }
  }
  await expect(start({ providers: [Desk] })).rejects.toThrow(
    'Desk.answer (AppModule) is a method of the agent "support", which no module has. There is the agent without a name.',
  );
  class Made {
    @OnMessage()
    answer() {
      return 'done';
    }
  }
  // Nest makes none before the first message.
  for (const scope of [Scope.REQUEST, Scope.TRANSIENT]) {
    const factory = { provide: 'DESK', useFactory: () => new Made(), scope };
    await expect(start({ providers: [factory] })).rejects.toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/request-scoped or transient factory/) }),
    );
  }
  const { id } = await start({}, { withoutHandlers: true });
  expectStatus(await ask(id, 'x'), 'failed', 'no_handler');
});

verifies('nestjs.messages.wrong-handlers', 'what a decorator cannot take', () => {
  expect(() => OnPeerMessage({ from: 'the boss' })).toThrow(/@OnPeerMessage\(\{ from \}\): .*UUID/);
  expect(() => OnPeerMessage({ from: [] })).toThrow(/names no workspace/);
  expect(() => OnTask('')).toThrow(/@OnTask\(\) needs the method/);
  class Desk {
    static answer() {}
    field = () => 'x';
  }
  const given = Object.getOwnPropertyDescriptor(Desk, 'answer') as PropertyDescriptor;
  expect(() => OnMessage()(Desk, 'answer', given)).toThrow(/cannot handle messages: answer/);
  expect(() => OnMessage()(Desk.prototype, 'field', undefined as never)).toThrow(
    /cannot handle messages: field/,
  );
  const named = Symbol('answer');
  expect(() => {
    class Named {
      @OnMessage()
      [named]() {
        return 'done';
      }
    }
    return Named;
  }).toThrow('A method named by a symbol cannot handle messages: Symbol(answer).');
});

verifies('nestjs.messages.wrong-handlers', 'an event that no agent has', () => {
  for (const event of ['pausd', 'toString', undefined]) {
    expect(() => OnAgentEvent(event as 'paused')).toThrow(/@OnAgentEvent\(.*\): an agent has no such event/);
  }
});

verifies('nestjs.messages.request', 'messages: request', async () => {
  let made = 0;
  @Injectable({ scope: Scope.REQUEST })
  class Caller {
    @Inject(REQUEST) readonly message!: InboundMessage;
    readonly number = ++made;
  }
  @Injectable()
  class Desk {
    @Inject(Caller) readonly caller!: Caller;

    @OnMessage()
    answer(@MessageText() text: string) {
      return `${text}, ${this.caller.message.text}, ${this.caller.number}`;
    }
  }
  @Injectable({ scope: Scope.TRANSIENT })
  class Transient {
    readonly number = ++made;

    @OnPeerMessage()
    answer() {
      return `${this.number}`;
    }
  }
  const { start, ask, peer } = await openNestStage();
  const { id } = await start({ providers: [Caller, Desk, Transient] });
  const before = made;
  expectAnswered(await ask(id, 'tea'), `tea, tea, ${before + 1}`);
  expectAnswered(await ask(id, 'milk'), `milk, milk, ${before + 2}`);
  const other = await peer();
  expectAnswered(await other.client.callPeer(id, 'x'), `${before + 3}`);
});

verifies('nestjs.messages.request', 'durable providers, one for each tenant', async () => {
  class ByConversation implements ContextIdStrategy {
    readonly #tenants = new Map<string, ContextId>();

    attach(contextId: ContextId, { sourceId }: InboundMessage): ContextIdResolver {
      const tenant = this.#tenants.get(sourceId) ?? ContextIdFactory.create();
      this.#tenants.set(sourceId, tenant);
      return {
        resolve: ({ isTreeDurable }: HostComponentInfo) => (isTreeDurable ? tenant : contextId),
        payload: { tenant: sourceId },
      };
    }
  }
  let made = 0;
  @Injectable({ scope: Scope.REQUEST, durable: true })
  class Desk {
    @Inject(REQUEST) readonly payload!: { tenant: string };
    readonly number = ++made;

    @OnMessage()
    answer(@MessageText() text: string) {
      return `${text} ${this.payload.tenant} ${this.number}`;
    }
  }
  const { start, peer } = await openNestStage();
  ContextIdFactory.apply(new ByConversation() as never);
  onTestFinished(() => ContextIdFactory.apply(undefined as never));
  const { id } = await start({ providers: [Desk] });
  const before = made;
  const [first, second] = [await peer(), await peer()];
  for (const text of ['a', 'b']) {
    expectAnswered(await first.client.callPeer(id, text), `${text} ${first.id} ${before + 1}`);
    expectAnswered(await second.client.callPeer(id, text), `${text} ${second.id} ${before + 2}`);
  }
});

verifies('nestjs.messages.events', async () => {
  const seen: string[] = [];
  @Injectable()
  class Desk {
    @OnMessage()
    answer() {
      return 'done';
    }
    @OnAgentEvent('started')
    started() {
      seen.push('started');
    }
    @OnAgentEvent('message')
    @OnAgentEvent('delivered')
    noted(message: InboundMessage) {
      seen.push(message.text);
    }
  }
  @Injectable({ scope: Scope.REQUEST })
  class Observer {
    @Inject(Desk) readonly desk!: Desk;

    @OnAgentEvent('paused')
    paused() {
      seen.push(`paused ${this.desk instanceof Desk}`);
    }
  }
  const { start, ask, platform } = await openNestStage();
  const { id } = await start({ providers: [Desk, Observer] });
  expectAnswered(await ask(id, 'tea'), 'done');
  await platform.clock.advanceUntil(() => seen.length === 3);
  await platform.pause(id);
  await platform.clock.advanceUntil(() => seen.length === 4);
  expect(seen).toEqual(['started', 'tea', 'tea', 'paused true']);
});
