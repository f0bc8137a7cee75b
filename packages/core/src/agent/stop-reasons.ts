import { MoleculeError } from '../errors/molecule-error.ts';

/** Why a handler's signal aborts when the agent is stopped. */
export function agentStopped(): MoleculeError {
  return new MoleculeError('The agent was stopped.', { code: 'agent_stopped' });
}

/** Why a handler's signal aborts when the workspace is paused. */
export function workspacePaused(): MoleculeError {
  return new MoleculeError('The workspace was paused.', { code: 'workspace_paused' });
}
