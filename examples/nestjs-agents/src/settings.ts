import type { RemoteAgentClientOptions } from '@molecule-ai/core';
import { Injectable, Module } from '@nestjs/common';

/** What the application reads from its environment, such as the `ConfigService` of `@nestjs/config`. */
@Injectable()
export class Settings {
  /** The platform is that of `MOLECULE_PLATFORM_URL`. */
  agent(name: string): RemoteAgentClientOptions {
    const variable = name.toUpperCase();
    return {
      workspaceId: process.env[`${variable}_WORKSPACE_ID`],
      authToken: process.env[`${variable}_TOKEN`],
      storage: { directory: process.env[`${variable}_STATE_DIR`] },
      agentCard: { name },
    };
  }
}

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}
