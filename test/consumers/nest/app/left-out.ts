import { MoleculeModule, OnMessage } from '@molecule-ai/nestjs';
import { type CanActivate, Inject, Injectable, Module, Scope, UseGuards } from '@nestjs/common';
import { APP_GUARD, NestFactory, REQUEST } from '@nestjs/core';

@Injectable({ scope: Scope.REQUEST })
class Caller {
  constructor(@Inject(REQUEST) readonly request: object) {}
}

/** Of the default scope, which Nest does not keep: it injects something that is made for each message. */
@Injectable()
class CallerGuard implements CanActivate {
  constructor(readonly caller: Caller) {}

  canActivate(): boolean {
    return this.caller.request !== undefined;
  }
}

@Injectable()
class Desk {
  @OnMessage()
  answer(): string {
    return 'done';
  }
}

@Injectable()
class GuardedDesk extends Desk {
  @UseGuards(CallerGuard)
  @OnMessage()
  override answer(): string {
    return 'done';
  }
}

const guards = {
  useClass: { provide: APP_GUARD, useClass: CallerGuard },
  useExisting: { provide: APP_GUARD, useExisting: CallerGuard },
  useFactory: { provide: APP_GUARD, useFactory: (guard: CallerGuard) => guard, inject: [CallerGuard] },
};

/** How applications start whose guards need what is made for each message: the errors, `null` where there is none. */
export async function leftOut(): Promise<Record<string, string | null>> {
  const errors: Record<string, string | null> = {};
  for (const [name, guard] of Object.entries(guards)) {
    errors[name] = await startError([Caller, CallerGuard, Desk, guard]);
  }
  errors['@UseGuards'] = await startError([Caller, GuardedDesk]);
  return errors;
}

async function startError(providers: object[]): Promise<string | null> {
  @Module({
    imports: [MoleculeModule.forRoot({ manualStart: true, push: false })],
    providers: providers as never[],
  })
  class GuardedModule {}
  try {
    const app = await NestFactory.createApplicationContext(GuardedModule, {
      logger: false,
      abortOnError: false,
    });
    await app.close();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
