/**
 * Follows a stream of server-sent events, and connects again by itself; says how it stands, which EventSource does not.
 *
 * Nothing is asked for again by id: after a gap the page fetches everything anew, so an event is only ever a hint.
 */

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const SILENCE_MAX_MS = 40_000; // the server says something every 15 s, if only a comment
const STEADY_AFTER_MS = 5_000; // a connection that lasted so long ends the doubling of pauses

/**
 * @typedef {{kind: "open"} | {kind: "waiting", status: number, until: Date | null} | {kind: "refused", status: number}} State
 * waiting: tries again by itself; refused: the token is not good any more.
 */

/** Cuts the text of a stream into its events. */
export class EventParser {
  #rest = "";

  /**
   * Take more text, wherever it is cut, and return the events that are whole now.
   *
   * @param {string} text
   * @returns {{event: string, data: string}[]}
   */
  take(text) {
    const blocks = (this.#rest + text).replaceAll("\r\n", "\n").split("\n\n");
    this.#rest = /** @type {string} */ (blocks.pop());
    return blocks.map(readBlock).filter(({ data }) => data !== "");
  }
}

export class EventStream {
  /** @type {AbortController | null} */
  #connection = null;
  /** @type {number | undefined} */
  #timer;
  #pauseMs = FIRST_PAUSE_MS;

  /**
   * @param {object} given
   * @param {string} given.url
   * @param {(event: string, data: any) => void} given.onEvent
   * @param {(state: State) => void} given.onState
   */
  constructor({ url, onEvent, onState }) {
    this.#url = url;
    this.#onEvent = onEvent;
    this.#onState = onState;
  }
  #url;
  #onEvent;
  #onState;

  /** Connect, now; also while a pause is being waited for. */
  start() {
    this.stop();
    void this.#follow();
  }

  /** End the connection and do not connect again. */
  stop() {
    clearTimeout(this.#timer);
    this.#connection?.abort();
    this.#connection = null;
  }

  async #follow() {
    const connection = new AbortController();
    this.#connection = connection;
    const startedAt = Date.now();
    const status = await this.#read(connection);
    if (this.#connection !== connection) return; // stopped meanwhile, or started again
    if (status === 401 || status === 403) {
      this.#onState({ kind: "refused", status });
      return;
    }
    const wasSteady = status === 200 && Date.now() - startedAt > STEADY_AFTER_MS;
    this.#pauseMs = wasSteady ? FIRST_PAUSE_MS : Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    const pauseMs = this.#pauseMs * (0.75 + Math.random() / 2); // so that not all pages come back at the same moment
    this.#onState({ kind: "waiting", status, until: new Date(Date.now() + pauseMs) });
    this.#timer = setTimeout(() => void this.#follow(), pauseMs);
  }

  /**
   * Read until the connection ends; return its status, 0 where there was no answer.
   *
   * @param {AbortController} connection
   */
  async #read(connection) {
    let status = 0;
    /** @type {number | undefined} */
    let watchdog;
    const hear = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => connection.abort(), SILENCE_MAX_MS);
    };
    try {
      hear();
      const response = await fetch(this.#url, {
        headers: { accept: "text/event-stream" },
        signal: connection.signal,
        credentials: "same-origin",
        cache: "no-store",
      });
      status = response.status;
      if (!response.ok || response.body === null) return status;
      this.#onState({ kind: "open" });
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        hear();
        for (const { event, data } of parser.take(part.value)) this.#onEvent(event, JSON.parse(data));
      }
    } catch (error) {
      if (error instanceof SyntaxError) throw error; // an event that is no JSON is a mistake of ours, not of the network
    } finally {
      clearTimeout(watchdog);
    }
    return status;
  }
}

/** @param {string} block */
function readBlock(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
  return { event, data: data.join("\n") };
}
