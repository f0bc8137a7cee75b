import { isJsonObject } from '@molecule-ai/protocol';

/** Where `POST /a2a` may name its target, in order (wire contract 8, row 16). */
export interface TargetSources {
  /** `X-Target-Workspace-ID`. */
  readonly header: string | undefined;
  /** `?target=`. */
  readonly query: string | undefined;
  readonly body: unknown;
}

/** The target a `POST /a2a` names, as it was written; undefined when it names none and means the caller itself. */
export function namedTarget(sources: TargetSources): string | undefined {
  const params = isJsonObject(sources.body) ? sources.body.params : undefined;
  const metadata = isJsonObject(params) ? params.metadata : undefined;
  const inBody = isJsonObject(metadata) ? metadata.target_workspace_id : undefined;
  const named = [sources.header, sources.query, typeof inBody === 'string' ? inBody : undefined];
  return named.find((text) => text !== undefined && text.trim() !== '')?.trim();
}
