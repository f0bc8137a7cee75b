import { Duplex } from 'node:stream';

type Callback = (error?: Error | null) => void;

/** What is held of a side that does not read, in bytes, as the buffers of a socket do. */
const BUFFER_BYTES = 64 * 1024;

/**
 * One side of a connection within the process. It behaves as a TCP socket to what HTTP uses: a side that does not read stops the
 * other one, one that is destroyed ends what the other reads and breaks what it writes.
 */
export class MemorySocket extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly remoteFamily = 'IPv4';
  readonly localPort: number;
  readonly #onTransfer: () => void;
  #other: MemorySocket = this;
  #onRead: Callback | undefined;
  #isEnded = false;

  /**
   * Creates both sides.
   * @param port that of the server
   * @param onTransfer called when something happens on the connection
   */
  static pair(port: number, onTransfer: () => void): { client: MemorySocket; server: MemorySocket } {
    const client = new MemorySocket(0, onTransfer);
    const server = new MemorySocket(port, onTransfer);
    client.#other = server;
    server.#other = client;
    return { client, server };
  }

  private constructor(localPort: number, onTransfer: () => void) {
    super({ highWaterMark: BUFFER_BYTES });
    this.localPort = localPort;
    this.#onTransfer = onTransfer;
  }

  // What Node and undici do with a socket, besides reading and writing, does not apply.
  setNoDelay = (): this => this;
  setKeepAlive = (): this => this;
  setTimeout = (): this => this;
  ref = (): this => this;
  unref = (): this => this;

  override _read(): void {
    this.#other.#continue();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    this.#onTransfer();
    const other = this.#other;
    if (other.destroyed || other.#isEnded) {
      done(connectionReset());
      return;
    }
    if (other.push(chunk)) done();
    else this.#onRead = done;
  }

  override _final(done: Callback): void {
    this.#onTransfer();
    this.#other.#end();
    done();
  }

  override _destroy(error: Error | null, done: Callback): void {
    this.#onTransfer();
    this.#continue(connectionReset());
    this.#other.#end();
    this.#other.#continue(connectionReset());
    done(error);
  }

  #continue(error?: Error): void {
    const done = this.#onRead;
    this.#onRead = undefined;
    done?.(error);
  }

  #end(): void {
    if (this.#isEnded || this.destroyed) return;
    this.#isEnded = true;
    this.push(null);
  }
}

function connectionReset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
}
