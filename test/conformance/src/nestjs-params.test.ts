import 'reflect-metadata';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JsonObject, type RemoteAgent, silentLogger } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { expectAnswered, expectStatus, recordingLogger, temporaryState } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  MessageParams,
  MessageText,
  MoleculeModule,
  OnMessage,
  OnTask,
} from '@molecule-ai/nestjs';
import { ANY_MESSAGE, MoleculeStrategy } from '@molecule-ai/nestjs/microservice';
import { createPlatform } from '@molecule-ai/platform';
import { Controller, Injectable, type PipeTransform, Scope, UsePipes, ValidationPipe } from '@nestjs/common';
import { APP_PIPE, NestFactory } from '@nestjs/core';
import { MessagePattern } from '@nestjs/microservices';
import { IsInt, IsString } from 'class-validator';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { moduleOf, openNestStage, QUIET } from './harness/nest-stage.ts';
import type { WordDto } from './harness/word-dto.ts';
import { verifies } from './verifies.ts';

class OrderDto {
  @IsString() item!: string;
  @IsInt() quantity!: number;
}

const strict = () => new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true });

@Injectable()
class Desk {
  @OnTask('delegate_task') order(@MessageParams() order: OrderDto) {
    return `${Object.keys(order)}: ${order.quantity} x ${order.item}`;
  }

  @OnMessage() any(@MessageParams() params: JsonObject) {
    return Object.keys(params).join();
  }
}

verifies('nestjs.enhancers.parameters', 'params: of tasks', async () => {
  const { start, ask, delegate } = await openNestStage({ server: { contractCheck: 'responses' } });
  const { id } = await start({ providers: [Desk, { provide: APP_PIPE, useFactory: strict }] });
  const order = { item: 'tea', quantity: 3 };
  const more = { message: { role: 'user', parts: [{ text: 'x' }], metadata: { priority: 1 } } };
  for (const added of [{}, more, { metadata: { trace_id: 't' } }]) {
    expectAnswered(await delegate(id, { ...order, ...added }), 'item,quantity: 3 x tea');
  }
  const refused = await delegate(id, { ...order, gift: true });
  expectStatus(refused, 'failed', 'bad_request');
  expect(refused.text).toBe('property gift should not exist.');
  expectAnswered(await ask(id, 'hello'), 'message');

  // The metadata of a push are those of the platform.
  const platform = await createPlatform({
    mode: 'dev',
    server: { port: 0, contractCheck: 'responses', publicUrl: 'http://localhost' },
    data: { directory: ':memory:' },
  });
  onTestFinished(() => platform.close());
  const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
  onTestFinished(() => operator.close());
  const pushed = await openPushed(platform.url, operator);
  const response = await fetch(`${platform.url}/workspaces/${pushed}/a2a`, {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ method: 'delegate_task', params: order }),
  });
  expect([response.status, await response.text()]).toEqual([
    200,
    expect.stringContaining('item,quantity: 3 x tea'),
  ]);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An application with a `Desk` that gets its messages by push. */
async function openPushed(platformUrl: string, operator: OperatorClient): Promise<string> {
  const { id, authToken } = await operator.createWorkspace({ name: 'desk' });
  const state = temporaryState();
  onTestFinished(() => state.remove());
  const port = await freePort();
  const module = MoleculeModule.forRoot({
    enabled: true,
    client: {
      platformUrl,
      workspaceId: id,
      authToken: authToken ?? undefined,
      reportedUrl: `http://127.0.0.1:${port}/a2a`,
      logger: silentLogger,
      storage: state.storage,
    },
    agent: { delivery: 'push' },
  });
  const providers = [Desk, { provide: APP_PIPE, useFactory: strict }];
  const app = await NestFactory.create(moduleOf({ imports: [module], providers }), QUIET);
  onTestFinished(() => app.close());
  const agent = app.get<RemoteAgent>(getAgentToken());
  const started = new Promise<void>((resolve) => agent.on('started', () => resolve()));
  await app.listen(port, '127.0.0.1');
  await started;
  return id;
}

verifies('nestjs.messages.warnings', 'params: not validated', async () => {
  const { start } = await openNestStage();
  class Own extends ValidationPipe {}
  class Trim implements PipeTransform {
    transform(value: unknown) {
      return value;
    }
  }
  @Injectable()
  class Unchecked {
    @OnTask('delegate_task') @UsePipes(Own) onMethod(@MessageParams() params: WordDto) {
      return params.word;
    }
    @OnMessage() inPlace(@MessageParams(ValidationPipe) params: WordDto) {
      return params.word;
    }
  }
  @Injectable()
  class Checked {
    @OnTask('delegate_task') order(@MessageParams() order: OrderDto) {
      return order.item;
    }
    @OnMessage() schema(@MessageParams(z.object({})) params: WordDto) {
      return params.word;
    }
  }
  @Injectable()
  class Global {
    @OnMessage() any(@MessageParams() params: WordDto) {
      return params.word;
    }
  }
  const warningsOf = async (...providers: Parameters<typeof moduleOf>[0]['providers'] & object) => {
    const logger = recordingLogger();
    const { app } = await start({ providers }, { client: { logger } });
    await app.close();
    return logger.lines
      .filter(({ level, message }) => level === 'warn' && message.includes('ValidationPipe'))
      .map(({ message }) => /of (\S+) \(AppModule\).*@MessageParams\(schema\)/.exec(message)?.[1]);
  };
  const global = { provide: APP_PIPE, useValue: new ValidationPipe() };
  expect(await warningsOf(Unchecked)).toEqual(['Unchecked.onMethod', 'Unchecked.inPlace']);
  expect(await warningsOf(Global, global)).toEqual(['Global.any']);
  expect(await warningsOf(Global, { provide: APP_PIPE, useClass: Own, scope: Scope.REQUEST })).toEqual([
    'Global.any',
  ]);
  expect(await warningsOf(Checked, global)).toEqual([]);
  expect(await warningsOf(Global, { provide: APP_PIPE, useClass: Trim })).toEqual([]);
  const typed = new ValidationPipe({ expectedType: OrderDto });
  expect(await warningsOf(Global, { provide: APP_PIPE, useValue: typed })).toEqual([]);
});

verifies('nestjs.messages.warnings', 'messages: unknown method', async () => {
  const { start, workspace, opened, online } = await openNestStage();
  @Injectable()
  class Tasks {
    @OnTask('anything') anything() {}
    @OnTask('SendMessage') renamed() {}
    @OnTask('delegate_task') delegated() {}
    @OnTask('message/send') sent() {}
  }
  const logger = recordingLogger();
  const warnings = () =>
    logger
      .messages('warn')
      .flatMap((text) => /^(\S+)(?: of (\S+))?.* gets no messages/.exec(text)?.slice(1) ?? []);
  await start({ providers: [Tasks] }, { client: { logger } });
  expect(warnings()).toEqual([
    "@OnTask('anything')",
    'Tasks.anything',
    "@OnTask('SendMessage')",
    'Tasks.renamed',
  ]);

  @Controller()
  class Patterns {
    @MessagePattern('other') other() {}
    @MessagePattern('delegate_task') delegated() {}
    @MessagePattern(ANY_MESSAGE) any() {}
  }
  logger.clear();
  const strategy = new MoleculeStrategy();
  const root = moduleOf({
    imports: [MoleculeModule.forRoot(await workspace({ strategy, client: { logger } }))],
    controllers: [Patterns],
  });
  const app = opened(await NestFactory.createMicroservice(root, { strategy, ...QUIET }));
  await app.listen();
  await online(app.get<RemoteAgent>(getAgentToken()));
  expect(warnings()).toEqual(["@MessagePattern('other')", undefined]);
});

verifies('nestjs.enhancers.parameters', 'params: a class for the text', async () => {
  @Injectable()
  class Unvalidated {
    @OnMessage() order(@MessageText() order: OrderDto) {
      return order.item;
    }
  }
  @Injectable()
  class Read {
    @OnMessage() order(
      @MessageText({ transform: (text: string): OrderDto => JSON.parse(text) }) order: OrderDto,
    ) {
      return order.item;
    }
  }
  const { start, ask } = await openNestStage();
  await expect(start({ providers: [Unvalidated] })).rejects.toMatchObject({
    message: expect.stringMatching(
      /@MessageText\(\) of Unvalidated\.order .* is a OrderDto: .* nothing validates it/,
    ),
    hint: expect.stringContaining('@MessageText(schema)'),
  });
  const { id } = await start({ providers: [Read] });
  expectAnswered(await ask(id, '{ "item": "tea", "quantity": 3 }'), 'tea');
});
