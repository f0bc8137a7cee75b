import type { RemoteAgentClient } from '@molecule-ai/core';
import type { MessageText } from '@molecule-ai/nestjs';

export declare class ModuleLedger {
  readonly client: RemoteAgentClient;
  readonly entries: number;
}
export declare class ModuleLedgerModule {}
export declare const ModuleText: typeof MessageText;
