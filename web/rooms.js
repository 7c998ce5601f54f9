/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * rooms.js: a client of the Rooms API for browsers, which you can copy.
 *
 *     const rooms = new Rooms({ base: "https://rooms.example.com", token, renew: async () => newToken });
 *     const me = await rooms.signIn();
 *     rooms.addEventListener("event", (e) => show(e.detail));
 *     rooms.follow();
 *     await rooms.send(roomId, { body: "hello" });
 *
 * What it does:
 * - It repeats requests, with jitter, if the connection fails or the server asks for it.  Each POST has an
 *   Idempotency-Key, the same for all attempts, so nothing happens twice.
 * - Errors are RoomsError, with the server's code.  An expired token is renewed once, by the given function.
 * - All tabs share one stream: the tab that holds a lock opens it and passes each event on.  Each tab knows its own
 *   position and loads missing events itself, so it misses no event and sees none twice.
 *
 * Events: "event" (an element of /v1/sync), "reset" (reload the rooms), "state" (connecting, live, away),
 * "signedout" (the token can't be renewed).
 */

export class RoomsError extends Error {
    constructor(code, message, { status = 0, requestId = null, details = [], retryAfter = 0 } = {}) {
        super(message);
        Object.assign(this, { name: "RoomsError", code, status, requestId, details, retryAfter });
    }

    get isAuth() { return this.status === 401; }
    get isTransient() {
        return this.status === 0 || [429, 502, 503, 504].includes(this.status)
               || (this.code === "SW_CONFLICT" && this.retryAfter > 0);
    }
}

const sleep = (ms, signal) => new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); fail(signal.reason); }, { once: true });
});

/* Half of the delay is fixed, half is random, so that many clients don't reconnect all at once. */
const jittered = (ms) => ms / 2 + Math.random() * ms / 2;
const backoff = (n, most) => jittered(Math.min(most, 500 * 2 ** n));

/* crypto.randomUUID() works only in secure contexts. */
export const uuid = () => [...crypto.getRandomValues(new Uint8Array(16))]
    .map((n) => n.toString(16).padStart(2, "0")).join("");

const TRIES = 6;
const SLEPT = 20000;                       /* ms: a timer this late means that the computer slept */

export class Rooms extends EventTarget {
    #token;
    #renew;
    #renewing = null;
    #links = new Map();
    #channel = null;
    #source = null;
    #closed = new AbortController();
    #leading = false;
    #filling = null;
    #retries = 0;
    #wake = null;

    constructor({ base = "", token, renew = null }) {
        super();
        this.base = base.replace(/\/+$/, "");
        this.#token = token;
        this.#renew = renew;
        this.me = null;
        this.position = null;              /* the last position seen; null: not following yet */
        this.epoch = null;
        this.state = "connecting";
        this.id = uuid();
    }

    /* Requests */

    async request(method, path, { body, form, key, signal, tries = TRIES } = {}) {
        const headers = { Accept: "application/json" };
        const stop = signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal;
        let renewed = false;

        if (method === "POST") { headers["Idempotency-Key"] = key ?? uuid(); }
        if (body !== undefined) { headers["Content-Type"] = "application/json"; }

        for (let n = 0; ; n++) {
            try {
                headers.Authorization = `Bearer ${this.#token}`;
                return await this.#once(method, path, headers, form ?? (body && JSON.stringify(body)), stop);

            } catch (e) {
                if (!(e instanceof RoomsError) || stop.aborted) { throw e; }

                if (e.isAuth && this.#renew && !renewed) {
                    renewed = true;
                    if (await this.#renewToken()) { continue; }
                }

                if (e.isAuth) { this.#emit("signedout", e); }
                if (!e.isTransient || n + 1 >= tries) { throw e; }

                await sleep(Math.max(e.retryAfter * 1000, 0) + backoff(n, 8000), stop);
            }
        }
    }

    async #once(method, path, headers, body, signal) {
        let answer, json;

        try {
            answer = await fetch(this.base + path, { method, headers, body, signal, cache: "no-store" });
            json = await answer.json().catch(() => null);

        } catch (e) {
            if (signal.aborted) { throw e; }
            throw new RoomsError("NETWORK", "the server can't be reached");
        }

        if (answer.ok && json) { return json; }

        const error = json?.error ?? {};
        throw new RoomsError(error.code ?? `HTTP_${answer.status}`, error.message ?? answer.statusText, {
            status: answer.ok ? 502 : answer.status, requestId: error.request_id, details: error.details,
            retryAfter: Number(answer.headers.get("Retry-After")) || 0,
        });
    }

    /* All waiting requests share one renewal. */
    async #renewToken() {
        this.#renewing ??= Promise.resolve(this.#renew()).catch(() => null)
            .finally(() => { this.#renewing = null; });

        const token = await this.#renewing;
        if (token) { this.#token = token; }
        return Boolean(token);
    }

    async get(path, options) { return (await this.request("GET", path, options)).data; }
    async post(path, body, options) { return (await this.request("POST", path, { body, ...options })).data; }
    async put(path, body, options) { return (await this.request("PUT", path, { body, ...options })).data; }
    async del(path, body, options) { return (await this.request("DELETE", path, { body, ...options })).data; }

    /* All pages of a list, up to a limit. */
    async all(path, most = 1000) {
        const rows = [];
        let cursor = "";

        do {
            const page = await this.request("GET", path + (path.includes("?") ? "&" : "?")
                                            + (cursor && `cursor=${encodeURIComponent(cursor)}`));
            rows.push(...page.data);
            cursor = page.meta.has_more ? page.meta.next_cursor : null;
        } while (cursor && rows.length < most);

        return rows;
    }

    async signIn() {
        this.me = await this.post("/v1/auth/register");
        return this.me;
    }

    /* event_uuid identifies the message for good: even if it is sent again after hours, it is stored once. */
    send(room, content, key = uuid(), options = {}) {
        return this.post(`/v1/rooms/${room}/send`, { content, event_uuid: key }, { key, ...options });
    }

    upload(file, key = uuid()) {
        const form = new FormData();

        form.append("file", file, file.name || "file");
        return this.request("POST", "/v1/media/upload", { form, key }).then((answer) => answer.data);
    }

    /* Links, which need no token; a link is renewed shortly before it expires. */
    async mediaLink(id, inline = true) {
        const name = `${id} ${inline}`;
        const known = this.#links.get(name);

        if (known && known.until > Date.now() + 60000) { return known.url; }

        const { url, expires_at } = await this.get(`/v1/media/signed/${encodeURIComponent(id)}?expires_in=3600`
                                                   + (inline ? "&disposition=inline" : ""));

        this.#links.set(name, { url: this.base + url, until: Date.parse(expires_at) });
        return this.base + url;
    }

    async exportLink(room) {
        return this.base + (await this.post(`/v1/rooms/${room}/export/link`, {})).url;
    }

    /* The stream */

    /* Resolves when this tab gets all further events.  Rooms loaded after that have no gap. */
    async follow() {
        const name = `rooms:${this.base}:${this.me.tenant_id}:${this.me.participant_id}`;
        const started = new Promise((done) => this.addEventListener("position", done, { once: true }));

        if ("BroadcastChannel" in window) {
            this.#channel = new BroadcastChannel(name);
            this.#channel.onmessage = (m) => this.#hear(m.data);
            this.#tell({ kind: "who" });
        }

        if (this.#channel && navigator.locks) {
            navigator.locks.request(name, { signal: this.#closed.signal }, () => this.#lead()).catch(() => {});

        } else {
            this.#channel?.close();
            this.#channel = null;
            this.#lead();
        }

        this.#watch();
        await started;
    }

    close() {
        this.#closed.abort(new DOMException("closed", "AbortError"));
        this.#source?.close();
        this.#channel?.close();
        this.#leading = false;
    }

    #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
    #tell(message) { this.#channel?.postMessage(message); }

    #setState(state) {
        if (state === this.state) { return; }
        this.state = state;
        this.#emit("state", state);
        if (this.#leading) { this.#tell({ kind: "state", state }); }
    }

    /* Holds the lock, and keeps the stream open, until the tab is closed. */
    #lead() {
        this.#leading = true;
        this.#connect();
        return new Promise((done) => this.#closed.signal.addEventListener("abort", done, { once: true }));
    }

    async #connect() {
        const source = this.#source;

        this.#wake?.abort();
        const wake = this.#wake = new AbortController();

        this.#source = null;
        source?.close();

        try {
            const { ticket } = await this.post("/v1/auth/ticket", { purpose: "stream" }, { tries: 1, signal: wake.signal });

            if (wake.signal.aborted || this.#closed.signal.aborted) { return; }
            this.#open(ticket);

        } catch (e) {
            if (wake.signal.aborted || this.#closed.signal.aborted) { return; }
            this.#setState("away");
            if (e.status === 403) { this.#emit("signedout", e); }   /* deactivated, or of another tenant */
            else if (!e.isAuth) { this.#again((e.retryAfter ?? 0) * 1000); }
        }
    }

    #open(ticket) {
        const query = new URLSearchParams({ since: this.position ?? "now", ticket });

        if (this.epoch) { query.set("epoch", this.epoch); }

        const source = this.#source = new EventSource(`${this.base}/v1/sync?${query}`);
        const on = (type, handler) => source.addEventListener(type, (e) => {
            if (source === this.#source) { handler(e.data ? JSON.parse(e.data) : null, Number(e.lastEventId)); }
        });

        let epoch = null;

        on("hello", (hello) => {
            this.#retries = 0;
            epoch = hello.epoch;
            this.epoch ??= epoch;
            this.#setState("live");
            this.#pass({ kind: "position", prev: this.position ?? hello.position, position: hello.position });
        });
        on("message", (event, position) => {
            this.#pass({ kind: "event", prev: this.position, position: position || event.stream_position, event });
        });
        on("caught_up", ({ position }) => this.#pass({ kind: "position", prev: this.position, position }));
        on("reset", ({ reason, position }) => {
            this.epoch = epoch;
            this.#pass({ kind: "reset", reason, position });
        });
        on("end", ({ code }) => {
            source.close();
            if (code === "SW_AUTH_EXPIRED_TOKEN") { this.#connect(); return; }
            this.#again(code === "SW_STREAM_RELOAD" ? 1000 : 0);
        });
        on("error", () => { source.close(); this.#again(); });
    }

    /* After a random delay, which grows with each attempt. */
    async #again(least = 0) {
        const wake = this.#wake;

        this.#setState("away");
        try {
            await sleep(least + backoff(this.#retries++, 20000), wake.signal);
            this.#connect();
        } catch { /* another tab was faster */ }
    }

    /* Handles an event of the stream, for this tab and the others. */
    #pass(message) {
        this.#tell({ ...message, epoch: this.epoch });
        this.#take(message);
    }

    #hear(message) {
        if (message.kind === "who") {
            if (this.#leading && this.position !== null) {
                this.#tell({ kind: "position", prev: this.position, position: this.position, epoch: this.epoch });
                this.#tell({ kind: "state", state: this.state });
            }
            return;
        }

        if (this.#leading) { return; }
        if (message.kind === "state") { this.#setState(message.state); return; }

        this.epoch = message.epoch ?? this.epoch;
        this.#take(message);
    }

    #take(message) {
        if (message.kind === "reset") {
            this.position = message.position;
            this.#emit("reset", message.reason);
            return;
        }

        const first = this.position === null;

        if (!first && message.prev > this.position) {
            this.#fill();                  /* this tab was asleep: load the missed events */
            return;
        }

        if (!first && message.position <= this.position) { return; }

        this.position = message.position;
        if (message.kind === "event") { this.#emit("event", message.event); }
        if (first) { this.#emit("position"); }
    }

    /* Loads missed events page by page, from this tab's own position. */
    async #fill() {
        if (this.#filling) { return; }

        this.#filling = (async () => {
            for (let more = true; more; ) {
                const page = await this.get(`/v1/sync?timeout=0&limit=500&since=${this.position}`
                                            + (this.epoch ? `&epoch=${this.epoch}` : ""));

                if (page.reset) { this.#take({ kind: "reset", reason: page.reset, position: Number(page.next_cursor) }); }

                for (const event of page.events) {
                    this.#take({ kind: "event", prev: this.position, position: event.stream_position, event });
                }

                this.position = Math.max(this.position, Number(page.next_cursor));
                more = page.has_more;
            }
        })();

        try { await this.#filling; } catch { /* the next event finds the gap again */ }
        this.#filling = null;
    }

    /* After a sleep the stream looks open but is dead, so reopen it; when the network is back, reconnect without waiting. */
    #watch() {
        let last = Date.now();
        const wake = () => { if (this.#leading) { this.#retries = 0; this.#connect(); } else { this.#tell({ kind: "who" }); } };
        const timer = setInterval(() => {
            const late = Date.now() - last > SLEPT;
            last = Date.now();
            if (late) { wake(); }
        }, 5000);
        const options = { signal: this.#closed.signal };

        this.#closed.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
        window.addEventListener("online", wake, options);
        window.addEventListener("pageshow", (e) => { if (e.persisted) { wake(); } }, options);
        document.addEventListener("visibilitychange", () => {
            if (!document.hidden && this.state === "away") { wake(); }
        }, options);
    }
}
