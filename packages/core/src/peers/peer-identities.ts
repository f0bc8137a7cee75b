import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { ClientSettings } from '../settings/client-settings.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { StoredState } from '../storage/stored-state.ts';
import { textOf } from '../transport/http-response.ts';
import { valueIn } from './peer-reply.ts';

const FILE = 'peers.json';
/** The peers that were seen last. */
const MAX_PEERS = 1_000;

/** What the platform says of a peer; `null` where it does not say it. */
export interface PeerFacts {
  readonly url: string | null;
  readonly name: string | null;
  readonly card: JsonObject | null;
}

/** What identifies a peer: the origin of its URL, its name, the digest of its card. */
type Identity = { readonly [Trait in PeerTrait]: string | null };
const TRAITS = ['origin', 'name', 'card'] as const;
export type PeerTrait = (typeof TRAITS)[number];

/** A peer is not what it was when it was first used. */
export interface PeerChange {
  readonly peerId: string;
  readonly changed: readonly PeerTrait[];
}

type Settings = Pick<ClientSettings, 'stateDirectory' | 'onPeerChange' | 'logger'>;

/** Remembers, also over restarts, what peers were when they were first used, and reports when one has changed. */
export class PeerIdentities {
  readonly #settings: Settings;
  readonly #listeners = new Set<(change: PeerChange) => void>();
  /** By peer id, the last seen last. */
  readonly #known = new LatestMap<Identity>(MAX_PEERS);
  /** Changes that are not accepted yet. */
  readonly #refused = new LatestMap<Identity>(MAX_PEERS);
  readonly #stored: StoredState;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#stored = new StoredState({
      directory: settings.stateDirectory,
      file: FILE,
      logger: settings.logger,
      restore: (stored) => {
        fill(this.#known, valueIn(stored, 'peers'));
        fill(this.#refused, valueIn(stored, 'refused'));
      },
      snapshot: () => ({
        peers: Object.fromEntries(this.#known),
        refused: Object.fromEntries(this.#refused),
      }),
      whenLost: 'peers count as new.',
    });
  }

  listen(listener: (change: PeerChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Compares a peer with what it was. A change is reported once; what is not known on one of the sides is none.
   * @throws MoleculeError `peer_changed` when changes block calls, until {@link accept}.
   */
  async check(id: string, facts: PeerFacts): Promise<void> {
    const peerId = id.toLowerCase();
    await this.#stored.load();
    const seen = identityOf(facts);
    const known = this.#known.get(peerId);
    if (known === undefined) return this.#remember(peerId, seen);
    const now: Identity = {
      origin: seen.origin ?? known.origin,
      name: seen.name ?? known.name,
      card: seen.card ?? known.card,
    };
    const changed = differences(known, now).filter((trait) => known[trait] !== null);
    const refused = this.#refused.get(peerId);
    if (changed.length === 0) {
      this.#refused.delete(peerId);
      if (refused !== undefined || differences(known, now).length > 0) this.#remember(peerId, now);
      return;
    }
    if (refused === undefined || differences(refused, now).length > 0) this.#report({ peerId, changed });
    if (this.#settings.onPeerChange !== 'block') return this.#remember(peerId, now);
    this.#refused.set(peerId, now);
    this.#stored.changed();
    throw peerChanged(peerId, changed);
  }

  /**
   * For a peer about which nothing can be learned at the moment.
   * @throws MoleculeError `peer_changed` when a change of it was refused and is not accepted yet.
   */
  async checkRefused(id: string): Promise<void> {
    if (this.#settings.onPeerChange !== 'block') return;
    const peerId = id.toLowerCase();
    await this.#stored.load();
    const refused = this.#refused.get(peerId);
    const known = this.#known.get(peerId);
    if (refused !== undefined && known !== undefined) throw peerChanged(peerId, differences(known, refused));
  }

  /** The refused change of a peer is what it is from now on. Returns whether there was one. */
  async accept(id: string): Promise<boolean> {
    const peerId = id.toLowerCase();
    await this.#stored.load();
    const seen = this.#refused.get(peerId);
    if (seen === undefined) return false;
    this.#refused.delete(peerId);
    this.#remember(peerId, seen);
    await this.#stored.written();
    return true;
  }

  /** Resolves when what was remembered is stored. */
  close(): Promise<void> {
    return this.#stored.written();
  }

  #report(change: PeerChange): void {
    const { logger, onPeerChange } = this.#settings;
    logger.warn({ ...change, onPeerChange }, 'A peer has changed since it was first used.');
    for (const listener of [...this.#listeners]) {
      try {
        listener(change);
      } catch (error) {
        logger.error({ error }, 'A listener for changed peers failed.');
      }
    }
  }

  #remember(peerId: string, identity: Identity): void {
    this.#known.set(peerId, identity);
    this.#stored.changed();
  }
}

function differences(one: Identity, other: Identity): PeerTrait[] {
  return TRAITS.filter((trait) => one[trait] !== other[trait]);
}

function identityOf({ url, name, card }: PeerFacts): Identity {
  return {
    origin: url !== null && URL.canParse(url) ? new URL(url).origin : null,
    name: name === null ? null : digest(name),
    card: card === null ? null : digest(JSON.stringify(sorted(card))),
  };
}

/** Digests, so that the file has a bounded size and no text of peers. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key] ?? null)]));
}

function peerChanged(peerId: string, changed: readonly PeerTrait[]): MoleculeError {
  return new MoleculeError('The peer has changed since it was first used, and is not called.', {
    code: 'peer_changed',
    hint: `Changed: ${changed.join(', ')}. If that is right: acceptPeerChange('${peerId}').`,
  });
}

function fill(identities: LatestMap<Identity>, stored: JsonValue | undefined): void {
  for (const [peerId, peer] of Object.entries(isJsonObject(stored) ? stored : {})) {
    if (!isJsonObject(peer)) continue;
    const read = (trait: PeerTrait) => textOf(peer[trait]) ?? null;
    identities.set(peerId, { origin: read('origin'), name: read('name'), card: read('card') });
  }
}
