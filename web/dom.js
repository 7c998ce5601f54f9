/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Builds elements without HTML: users' input only becomes text.
 */

/* h("button", { class: "plain", onclick: f }, "text", element): children that are null are left out. */
export function h(name, props = {}, ...children) {
    const element = document.createElement(name);

    for (const [key, value] of Object.entries(props)) {
        if (value === null || value === undefined || value === false) { continue; }
        if (key.startsWith("on")) { element.addEventListener(key.slice(2), value); continue; }
        element.setAttribute(key === "class" ? "class" : key, value === true ? "" : value);
    }

    element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
    return element;
}

const PATHS = {
    plus: "M12 5v14M5 12h14", search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4", back: "M15 5l-7 7 7 7",
    send: "M4 12l16-8-6 16-3-6zM11 14l9-10", image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M9 9h.01", more: "M5 12h.01M12 12h.01M19 12h.01",
    close: "M6 6l12 12M18 6L6 18", info: "M12 11v6M12 7h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", down: "M12 4v14M6 13l6 6 6-6",
    smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8 14c1.5 3 6.500 3 8 0M9 9.500h.01M15 9.500h.01", bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
    pen: "M4 20l1-5L16 4l4 4L9 19zM14 6l4 4",
    chart: "M5 20V11M12 20V4M19 20v-7", out: "M14 4H5v16h9M10 12h10M17 8l4 4-4 4", mute: "M4 9v6h4l5 4V5L8 9zM17 9l5 6M22 9l-5 6",
};

export function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");

    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", "icon");
    path.setAttribute("d", PATHS[name]);
    svg.append(path);
    return svg;
}

export const iconButton = (name, label, onclick, props = {}) =>
    h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...props }, icon(name));

/* A name may be right-to-left; isolate it, so that it doesn't reorder the text around it. */
export const name = (text, props = {}) => h("bdi", props, text);

/* The same color for the same person. */
export function avatar(id, text, square = false) {
    let hash = 0;

    for (const c of id) { hash = (hash * 31 + c.codePointAt(0)) >>> 0; }

    const letters = [...text.trim()].filter((c) => /[\p{L}\p{N}]/u.test(c)).slice(0, 1).join("").toUpperCase();

    return h("span", { class: `avatar hue-${hash % 12}${square ? " square" : ""}`, "aria-hidden": "true" }, letters || "#");
}

export function toast(text, bad = false) {
    const box = document.getElementById("toasts");
    const t = h("div", { class: bad ? "toast bad" : "toast", role: bad ? "alert" : "status" }, text);

    box.append(t);
    setTimeout(() => t.remove(), bad ? 7000 : 4000);
}

/* A dialog with a form; resolves to its values, or null.  The element `dialog` handles focus, Escape and screen readers. */
export function ask(title, fields, action, { danger = false } = {}) {
    return new Promise((done) => {
        const form = h("form", { method: "dialog" },
            h("h2", { id: "dialog-title" }, title), ...fields,
            h("div", { class: "row end" },
              h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
              h("button", { class: danger ? "danger" : "primary", value: "ok" }, action)));
        const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);

        dialog.addEventListener("close", () => {
            done(dialog.returnValue === "ok" ? Object.fromEntries(new FormData(form)) : null);
            dialog.remove();
        });
        document.body.append(dialog);
        dialog.showModal();
    });
}

export const field = (label, input, hint = null) =>
    h("label", { class: "field" }, h("span", {}, label), input, hint && h("small", {}, hint));

/* Text in which web addresses become links. */
export function withLinks(text) {
    const parts = [];
    let at = 0;

    for (const m of text.matchAll(/https?:\/\/[^\s<>"'`]+[^\s<>"'`.,:;!?)\]}]/g)) {
        let url;

        try { url = new URL(m[0]); } catch { continue; }
        parts.push(text.slice(at, m.index), h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, m[0]));
        at = m.index + m[0].length;
    }

    return [...parts, text.slice(at)];
}

export const size = (n) => n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(0)} kB` : `${(n / 1e6).toFixed(1)} MB`;

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const dayOf = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });

export const time = (iso) => h("time", { datetime: iso, title: new Date(iso).toLocaleString() }, clock.format(new Date(iso)));

export function day(iso) {
    const date = new Date(iso), today = new Date();
    const days = Math.round((new Date(today.toDateString()) - new Date(date.toDateString())) / 864e5);

    return days === 0 ? "Today" : days === 1 ? "Yesterday" : dayOf.format(date);
}
