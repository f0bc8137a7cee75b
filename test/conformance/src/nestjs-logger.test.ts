import 'reflect-metadata';
import { type HandlerContext, MoleculeError } from '@molecule-ai/core';
import { MessageContext, MoleculeModule, nestLogger, OnMessage } from '@molecule-ai/nestjs';
import { Logger, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect, onTestFinished } from 'vitest';
import { moduleOf, openNestStage } from './harness/nest-stage.ts';
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

verifies('nestjs.logger.bridge', async () => {
  const secret = 'mol_secret_0123456789abcdef';
  class Clerk {
    @OnMessage() answer(@MessageContext() { logger }: HandlerContext) {
      logger.warn({ token: secret, size: 3 }, 'Handling.');
      return 'Done.';
    }
  }
  const { workspace, opened, online, ask } = await openNestStage();
  const { logger: _silent, ...options } = await workspace();
  const { logger, lines } = recordingNestLogger();
  onTestFinished(() => Logger.overrideLogger(false));
  const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Clerk] });
  const app = opened(await NestFactory.createApplicationContext(root, { logger, abortOnError: false }));
  const { MoleculeService } = await import('@molecule-ai/nestjs');
  await online(app.get(MoleculeService).agent);
  await ask(options.workspaceId, 'Do it.');
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
    error.stack,
    'Molecule:support',
  ]);
  expect(lines[3]?.[1]).toBe('four [unreadable fields]');
  expect(String(lines[4]?.[1]).length).toBeLessThan(4_100);
  lines.length = 0;
  Logger.overrideLogger(false);
  direct.warn({}, 'six');
  expect(lines).toEqual([]);
});
