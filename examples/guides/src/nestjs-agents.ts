// #region async
import type { RemoteAgentClient, RemoteAgentClientOptions } from '@molecule-ai/core';
import { InjectMoleculeClient, MessageText, MoleculeModule, OnMessage } from '@molecule-ai/nestjs';
import { Injectable, Module } from '@nestjs/common';

/** What the application has for its settings, such as the `ConfigService` of `@nestjs/config`. */
@Injectable()
export class Settings {
  agent(name: string): RemoteAgentClientOptions {
    return {
      workspaceId: process.env[`${name}_WORKSPACE_ID`],
      authToken: process.env[`${name}_TOKEN`],
      storage: { directory: process.env[`${name}_STATE_DIR`] },
      agentCard: { name: name.toLowerCase() },
    };
  }
}

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}

/** Two agents: one without a name, and one that decorators name. */
const agents = [
  MoleculeModule.forRootAsync({
    imports: [SettingsModule],
    inject: [Settings],
    useFactory: (settings: Settings) => ({ client: settings.agent('SALES'), agent: { concurrency: 8 } }),
  }),
  MoleculeModule.forRootAsync({
    name: 'support',
    imports: [SettingsModule],
    inject: [Settings],
    useFactory: (settings: Settings) => ({ client: settings.agent('SUPPORT') }),
  }),
];

@Injectable()
export class Office {
  constructor(@InjectMoleculeClient('support') private readonly support: RemoteAgentClient) {}

  @OnMessage()
  sell(@MessageText() text: string): string {
    return `Sold: ${text}.`;
  }

  @OnMessage({ agent: 'support' })
  help(): string {
    return `This is ${this.support.agentCard.name}.`;
  }
}

@Module({ imports: agents, providers: [Office] })
export class OfficeModule {}
// #endregion async
