/** Runs the programs of the guides against a platform in this process, and checks what they do. */

import { checkAiSdkAgent } from './check-ai-sdk-agent.ts';
import { checkAiSdkChat } from './check-ai-sdk-chat.ts';
import { checkAiSdkPeer } from './check-ai-sdk-peer.ts';
import { checkAiSdkTools } from './check-ai-sdk-tools.ts';
import { checkCallingPeers } from './check-calling-peers.ts';
import { checkFirstAgent } from './check-first-agent.ts';
import { checkHistory } from './check-history.ts';
import { checkLangChain } from './check-langchain.ts';
import { checkNest } from './check-nestjs.ts';
import { checkNestFrameworks } from './check-nestjs-frameworks.ts';
import { checkQuestions } from './check-questions.ts';
import { checkRunningAnAgent } from './check-running-an-agent.ts';
import { checkSecurity } from './check-security.ts';
import { checkStructuredData } from './check-structured-data.ts';
import { checkTakeOver } from './check-take-over.ts';
import { checkTelemetry } from './check-telemetry.ts';
import { checkTools } from './check-tools.ts';
import { checkYourServer } from './check-your-server.ts';
import { onStage } from './stage.ts';

await onStage(async (stage) => {
  await checkFirstAgent(stage);
  await checkCallingPeers(stage);
  await checkQuestions(stage);
  await checkHistory(stage);
  await checkSecurity(stage);
  await checkRunningAnAgent(stage);
  await checkTakeOver(stage);
  await checkTelemetry(stage);
  await checkLangChain(stage);
  await checkAiSdkAgent(stage);
  await checkAiSdkTools(stage);
  await checkAiSdkPeer(stage);
  await checkTools(stage);
  await checkNest(stage);
  await checkNestFrameworks(stage);
  await checkStructuredData(stage);
  await checkYourServer(stage);
  await checkAiSdkChat();
});
