import type { RemoteAgentClient } from '@molecule-ai/core';
import type { MessageText } from '@molecule-ai/nestjs';

export declare class CommonJsLedger {
  readonly client: RemoteAgentClient;
  readonly entries: number;
}
export declare class CommonJsLedgerModule {}
export declare const CommonJsText: typeof MessageText;
