/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The administrator's view: rooms_status, if this page's server shows it at /status.
 */

import { h, iconButton } from "./dom.js";

const EVERY = 2000;
const count = (n) => n.toLocaleString();

function duration(us) {
    if (us === null || !Number.isFinite(us)) { return "–"; }
    return us < 1000 ? `${Math.round(us)} µs` : us < 1e6 ? `${(us / 1000).toPrecision(3)} ms` : `${(us / 1e6).toPrecision(3)} s`;
}

/* The upper bound of the bucket that the quantile falls into. */
function quantile(e, bounds, part) {
    const all = e.buckets.reduce((a, b) => a + b, 0);
    let seen = 0;

    for (let i = 0; all && i < e.buckets.length; i++) {
        seen += e.buckets[i];
        if (seen >= part * all) { return bounds[Math.min(i, bounds.length - 1)]; }
    }

    return null;
}

const tile = (label, value, kind = "") => h("div", { class: `tile ${kind}` }, h("dt", {}, label), h("dd", {}, value));
const row = (tag, cells) => h("tr", {}, cells.map((c) => h(tag, {}, c)));
const total = (e) => e.ok + e.refused + e.failed;

export function statusView(close) {
    const tiles = h("dl", { class: "tiles" });
    const body = h("tbody");
    const errors = h("ul", { class: "codes" });
    const said = h("p", { class: "quiet", role: "status" }, "Asking the server…");
    const view = h("section", { class: "status", "aria-label": "Server status" },
        h("header", { class: "bar" }, iconButton("back", "Back", close), h("h1", { class: "grow" }, "Server status")),
        h("div", { class: "pad stack" }, said, tiles, h("h2", {}, "Requests"),
          h("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": "Requests by endpoint" },
            h("table", {}, h("thead", {}, row("th", ["Endpoint", "a second", "ok", "refused", "failed", "mean", "p50", "p99"])), body)),
          h("h2", {}, "Errors"), errors));
    let last = null, at = 0;

    const look = async () => {
        if (last && !view.isConnected) { return; }

        try {
            const answer = await fetch("/status?format=json", { cache: "no-store" });

            if (!answer.ok) { throw new Error("This server shows its status elsewhere, or not to you."); }

            const now = await answer.json();
            const seconds = last ? (performance.now() - at) / 1000 : 0;
            const before = new Map(last ? last.endpoints.map((e) => [`${e.method} ${e.path}`, total(e)]) : []);
            const rate = (e) => seconds ? (total(e) - (before.get(`${e.method} ${e.path}`) ?? 0)) / seconds : 0;
            const failed = now.endpoints.reduce((n, e) => n + e.failed, 0);

            tiles.replaceChildren(tile("Store", now.store.up ? "up" : "down", now.store.up ? "good" : "bad"),
                tile("Requests a second", now.endpoints.reduce((n, e) => n + rate(e), 0).toFixed(1)),
                tile("Failed requests", count(failed), failed ? "bad" : ""),
                tile("A round to the store", duration(now.store.us / (now.store.rounds + now.store.failed))),
                tile("Waiting polls", count(now.polls ?? 0)),
                tile("Live streams", count(now.sse ?? 0)),
                tile("Exports running", count(now.exports ?? 0)), tile("Imports running", count(now.imports ?? 0)));
            body.replaceChildren(...now.endpoints.sort((a, b) => total(b) - total(a)).map((e) => row("td", [`${e.method} ${e.path}`, rate(e).toFixed(1),
                count(e.ok), count(e.refused), count(e.failed), duration(e.us / total(e)),
                duration(quantile(e, now.bounds_us, .5)), duration(quantile(e, now.bounds_us, .99))])));
            errors.replaceChildren(...Object.entries(now.errors).sort((a, b) => b[1] - a[1]).map(([code, n]) => h("li", {}, h("code", {}, code), ` ${count(n)}`)));
            if (!errors.children.length) { errors.append(h("li", { class: "quiet" }, "none")); }
            said.textContent = `Version ${now.version} in nginx ${now.nginx}`;
            last = now;
            at = performance.now();
        } catch (e) {
            said.textContent = e.message;
            last ??= { endpoints: [] };
        }

        setTimeout(look, EVERY);
    };

    look();
    return view;
}
