/**
 * Who makes a request, decided once from the credential (decisions 2, 6, 8). Headers such as
 * `X-Workspace-ID` are only cross-checked against it.
 */
export type Principal =
  | { readonly kind: 'operator'; readonly via: 'operator-key' | 'session' | 'dev' }
  | { readonly kind: 'workspace'; readonly workspaceId: string; readonly tokenId: string }
  /** No credential at all; only a first claim and the open routes let it through. */
  | { readonly kind: 'anonymous' };

/** The caller as the dedupe record and the feed name it: a workspace's id, or `canvas`. */
export function callerKey(principal: Principal): string {
  return principal.kind === 'workspace' ? principal.workspaceId : CANVAS_CALLER;
}

export const CANVAS_CALLER = 'canvas';
