/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The page: signing in, the list of rooms, dialogs.  An open room is in room.js.
 */

import { Rooms } from "./rooms.js";
import { ask, avatar, field, h, icon, iconButton, name, toast } from "./dom.js";
import { RoomView } from "./room.js";
import { statusView } from "./admin.js";

const root = document.getElementById("app");
const KEY = "rooms-session";

let api = null, view = null, list = null, filter = "", online = null;
const rooms = new Map(), invites = new Map();

export const title = (room) => room.name || (room.room_type === "incognito" ? "Incognito room" : "Unnamed room");
export const fail = (e) => { if (e.name !== "AbortError") { toast(e.message || "Something went wrong", true); } };

/* Signing in */

function signInView(problem = null) {
    api?.close();
    api = null;
    view = null;

    const own = h("input", { name: "who", autocomplete: "username", required: true, pattern: "[A-Za-z0-9._\\-]{1,64}", placeholder: "ada", autofocus: true });
    const team = h("input", { name: "team", value: "acme", required: true, pattern: "[A-Za-z0-9._\\-]{1,64}" });
    const token = h("textarea", { name: "token", rows: 3, spellcheck: "false", autocomplete: "off", placeholder: "eyJhbGciOi…" });
    const tries = h("fieldset", {}, field("Your name", own), field("Team", team, "Everybody of a team sees its public rooms."));
    const real = h("fieldset", { hidden: true, disabled: true }, field("Token", token, "A JWT of your identity provider. It stays in this tab."));
    const swap = h("button", { type: "button", class: "link", onclick: () => {
        const toToken = real.hidden;

        tries.hidden = tries.disabled = toToken;
        real.hidden = real.disabled = !toToken;
        swap.textContent = toToken ? "Use a name instead (development)" : "Use a token instead";
        (toToken ? token : own).focus();
    } }, "Use a token instead");
    const said = h("p", { class: "problem", role: "alert" }, problem);
    const form = h("form", { class: "card sign-in", onsubmit: async (e) => {
        e.preventDefault();
        said.textContent = "";

        const text = real.hidden ? `mock:${own.value.trim()}@${team.value.trim()}` : token.value.trim();

        try { await signIn(text); } catch (error) { said.textContent = error.message; }
    } },
        h("img", { src: "icon.svg", alt: "", width: 48, height: 48 }), h("h1", {}, "Rooms"),
        h("p", { class: "quiet" }, "Chat that runs inside NGINX."), tries, real, said,
        h("button", { class: "primary wide" }, "Sign in"), swap);

    root.replaceChildren(h("main", { class: "center" }, form));
    own.focus();
}

async function signIn(token) {
    const started = new Rooms({ token, renew: () => started.me && renew() });

    try { await started.signIn(); } catch (e) { started.close(); throw e; }

    api = started;
    sessionStorage.setItem(KEY, token);
    await run();
}

/* Asks for a new token and keeps the page as it is.  Missed events arrive with the next stream. */
async function renew() {
    const answer = await ask("Your token has expired", [
        h("p", {}, "Paste a new one to go on where you are."),
        field("Token", h("textarea", { name: "token", rows: 3, required: true, spellcheck: "false" }))], "Go on");
    const token = answer?.token.trim() || null;

    if (token) { sessionStorage.setItem(KEY, token); }
    return token;
}

function signOut(problem = null) {
    sessionStorage.removeItem(KEY);
    rooms.clear();
    invites.clear();
    signInView(problem);
}

/* After signing in */

async function run() {
    const mine = api;

    mine.addEventListener("event", (e) => heard(e.detail));
    mine.addEventListener("reset", () => load().then(() => view?.reload()).catch(fail));
    mine.addEventListener("state", () => showState());
    mine.addEventListener("signedout", (e) => { if (mine === api) { signOut(e.detail.message); } });

    shell();
    await mine.follow();
    await load();
    document.documentElement.dataset.ready = "yes";

    const wanted = location.hash.slice(1);

    if (rooms.has(wanted)) { open(wanted); }
}

async function load() {
    const [joined, invited] = await Promise.all([api.all("/v1/directory/rooms?membership=join&limit=200"),
                                                 api.all("/v1/directory/rooms?membership=invite&limit=200")]);

    rooms.clear();
    invites.clear();
    for (const room of joined) { rooms.set(room.id, room); }
    for (const room of invited) { invites.set(room.id, room); }
    showRooms();
}

function shell() {
    const search = h("input", { type: "search", placeholder: "Search rooms", "aria-label": "Search rooms", id: "search",
                                oninput: (e) => { filter = e.target.value.trim().toLowerCase(); showRooms(); } });

    list = h("nav", { class: "room-list", "aria-label": "Rooms" });
    online = h("div", { class: "offline", role: "status", hidden: true });

    root.replaceChildren(
        h("div", { class: "shell" },
          h("aside", { class: "side" },
            h("header", { class: "me" }, avatar(api.me.participant_id, api.me.display_name),
              h("div", { class: "grow" }, name(api.me.display_name, { class: "strong clip" }), h("small", { class: "clip" }, api.me.fqid)),
              iconButton("chart", "Server status", openStatus), iconButton("out", "Sign out", () => signOut())),
            h("div", { class: "find" }, icon("search"), search),
            h("div", { class: "actions" },
              h("button", { type: "button", onclick: newRoom }, icon("plus"), "Room"),
              h("button", { type: "button", onclick: newDm }, icon("plus"), "Message"),
              h("button", { type: "button", onclick: discover }, icon("search"), "Browse")),
            list, online),
          h("main", { class: "main", id: "main" }, welcome())));
}

const welcome = () => h("div", { class: "welcome" }, h("img", { src: "icon.svg", alt: "", width: 64, height: 64 }),
                        h("h1", {}, "Pick a room"), h("p", { class: "quiet" }, "Or make one, and invite somebody."));

function showState() {
    if (!online) { return; }
    online.hidden = api.state === "live";
    online.textContent = api.state === "away" ? "No connection. It comes back by itself." : "Connecting…";
    document.documentElement.dataset.state = api.state;
}

function roomRow(room) {
    const unread = room.me?.unread_count || 0;
    const muted = room.me?.muted_until && Date.parse(room.me.muted_until) > Date.now();

    return h("li", {}, h("button", { type: "button", class: "room", "data-room": room.id, onclick: () => open(room.id),
                                     "aria-current": view?.id === room.id ? "page" : null },
        avatar(room.id, title(room), room.room_type !== "dm"), name(title(room), { class: "grow clip" }),
        muted && icon("mute"),
        unread > 0 && h("span", { class: muted ? "badge still" : "badge" }, unread > 99 ? "99+" : String(unread),
                        h("span", { class: "for-readers" }, " unread"))));
}

function inviteRow(room) {
    const answer = (what) => async () => {
        try {
            await api.post(`/v1/rooms/${room.id}/${what}`);
            invites.delete(room.id);
            if (what === "join") { await refresh(room.id); open(room.id); }
            showRooms();
        } catch (e) { fail(e); }
    };

    return h("li", { class: "invite" }, avatar(room.id, title(room), true), name(title(room), { class: "grow clip" }),
             h("button", { type: "button", class: "primary small", onclick: answer("join") }, "Join"),
             h("button", { type: "button", class: "small", onclick: answer("leave") }, "Decline"));
}

function section(label, rows) {
    return rows.length ? [h("h2", {}, label), h("ul", {}, rows)] : [];
}

export function showRooms() {
    const fits = (room) => !filter || title(room).toLowerCase().includes(filter);
    const all = [...rooms.values()].filter(fits).sort((a, b) => b.last_event_position - a.last_event_position);
    const focused = document.activeElement?.dataset?.room;
    const unread = [...rooms.values()].reduce((n, r) => n + (r.me?.unread_count || 0), 0);

    list.replaceChildren(...section("Invitations", [...invites.values()].map(inviteRow)),
                         ...section("Rooms", all.filter((r) => r.room_type !== "dm").map(roomRow)),
                         ...section("Direct messages", all.filter((r) => r.room_type === "dm").map(roomRow)));
    if (!list.children.length) {
        list.append(h("p", { class: "quiet pad" }, filter ? "Nothing is called so." : "You are in no room yet. Make one, or browse."));
    }

    if (focused) { list.querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus(); }
    document.title = (unread ? `(${unread}) ` : "") + (view?.room ? `${title(view.room)} · Rooms` : "Rooms");
}

/* Replaces what is known of a room by the server's current state. */
export async function refresh(id) {
    try {
        const room = await api.get(`/v1/rooms/${id}`);

        rooms.delete(id);
        invites.delete(id);
        if (room.me?.membership === "join" && room.state === "open") { rooms.set(id, room); }
        if (room.me?.membership === "invite") { invites.set(id, room); }
        if (view?.id === id && room.me?.membership === "join") { view.setRoom(room); }

    } catch (e) {
        if (e.status !== 404) { throw e; }
        rooms.delete(id);
        invites.delete(id);
    }

    if (view?.id === id && !rooms.has(id)) { close(); }
    showRooms();
}

function heard(event) {
    const room = rooms.get(event.room_id);

    if (event.unreadable) { return; }
    if (view?.id === event.room_id) { view.heard(event); }

    if (event.event_type === "swp.room.message" || event.event_type === "swp.room.reaction") {
        if (!room) { refresh(event.room_id).catch(fail); return; }

        room.last_event_position = Math.max(room.last_event_position, event.stream_position);
        if (event.event_type === "swp.room.message" && !event.content?.replaces && room.me) {
            if (event.sender_id === api.me.participant_id || (view?.id === room.id && view.reading())) { room.me.unread_count = 0; }
            else { room.me.unread_count++; }
        }
        showRooms();
        return;
    }

    refresh(event.room_id).catch(fail);
}

/* Rooms */

export function open(id) {
    const room = rooms.get(id);

    if (!room) { return; }
    view?.close();
    view = new RoomView(api, room, { refresh, close, changed: showRooms });
    document.getElementById("main").replaceChildren(view.element);
    root.firstChild.classList.add("in-room");
    history.replaceState(null, "", `#${id}`);
    showRooms();
    view.load().catch(fail);
}

function close() {
    view?.close();
    view = null;
    root.firstChild.classList.remove("in-room");
    document.getElementById("main").replaceChildren(welcome());
    history.replaceState(null, "", location.pathname);
    showRooms();
}

function openStatus() {
    view?.close();
    view = null;
    document.getElementById("main").replaceChildren(statusView(close));
    root.firstChild.classList.add("in-room");
    showRooms();
}

async function newRoom() {
    const answer = await ask("New room", [
        field("Name", h("input", { name: "name", required: true, maxlength: 128, autocomplete: "off" })),
        field("What is it about?", h("input", { name: "topic", maxlength: 1024, autocomplete: "off" })),
        field("Who can join?", h("select", { name: "room_type" }, h("option", { value: "group" }, "Who is invited"),
                                 h("option", { value: "public" }, "Everybody of the team")))], "Make it");

    if (!answer) { return; }

    try {
        const room = await api.post("/v1/rooms", { ...answer, topic: answer.topic || null });

        rooms.set(room.id, room);
        open(room.id);
    } catch (e) { fail(e); }
}

/* Chooses a participant from the directory, if the server has one. */
export async function person(heading, action) {
    const people = h("datalist", { id: "people" });
    const input = h("input", { name: "who", required: true, list: "people", autocomplete: "off", oninput: () => look() });
    let latest = 0;
    const look = async () => {
        const n = ++latest;

        try {
            const found = await api.get(`/v1/directory/participants?limit=10&q=${encodeURIComponent(input.value)}`, { tries: 1 });

            if (n === latest) { people.replaceChildren(...found.map((p) => h("option", { value: p.id }, p.display_name))); }
        } catch { /* the server has no directory */ }
    };

    look();
    return (await ask(heading, [field("Who?", input, "Their id, or @name:server."), people], action))?.who.trim();
}

async function newDm() {
    const who = await person("New message", "Write");

    if (!who) { return; }

    try {
        const room = await api.post("/v1/rooms/dm", { participant_id: who });

        rooms.set(room.id, room);
        open(room.id);
    } catch (e) { fail(e); }
}

async function discover() {
    const found = h("ul", { class: "found" });
    const input = h("input", { type: "search", "aria-label": "Search all rooms", placeholder: "Search all rooms", autocomplete: "off" });
    const dialog = h("dialog", { "aria-label": "Browse rooms", class: "browse" },
        h("div", { class: "row" }, h("h2", { class: "grow" }, "Browse rooms"), iconButton("close", "Close", () => dialog.close())), input, found);
    let latest = 0;
    const look = async () => {
        const n = ++latest;

        try {
            const some = await api.get(`/v1/directory/rooms?limit=50&q=${encodeURIComponent(input.value)}`);

            if (n !== latest) { return; }
            found.replaceChildren(...some.filter((r) => r.room_type !== "dm").map((room) => h("li", {}, avatar(room.id, title(room), true),
                h("div", { class: "grow" }, name(title(room), { class: "strong" }), h("small", {}, room.topic || `${room.members_count} members`)),
                h("button", { type: "button", class: "small", onclick: async () => {
                    try {
                        if (!rooms.has(room.id)) { await api.post(`/v1/rooms/${room.id}/join`); await refresh(room.id); }
                        dialog.close();
                        open(room.id);
                    } catch (e) { fail(e); }
                } }, rooms.has(room.id) ? "Open" : "Join"))));
            if (!found.children.length) { found.append(h("li", { class: "quiet" }, "Nothing found.")); }
        } catch (e) { fail(e); }
    };

    input.addEventListener("input", look);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    await look();
}

/* Keys: Ctrl+K searches; Alt+Up and Alt+Down switch rooms. */
document.addEventListener("keydown", (e) => {
    if (!list?.isConnected || document.querySelector("dialog[open]")) { return; }

    if ((e.ctrlKey || e.metaKey) && e.key === "k") {
        e.preventDefault();
        root.firstChild.classList.remove("in-room");
        document.getElementById("search").focus();
    }

    if (e.altKey && (e.key === "ArrowUp" || e.key === "ArrowDown")) {
        e.preventDefault();
        const ids = [...list.querySelectorAll("[data-room]")].map((b) => b.dataset.room);
        const at = ids.indexOf(view?.id);
        const next = ids[(at + (e.key === "ArrowDown" ? 1 : ids.length - 1) + ids.length) % ids.length];

        if (next) { open(next); }
    }
});

const stored = sessionStorage.getItem(KEY);

if (stored) { signIn(stored).catch((e) => signInView(e.isAuth ? null : e.message)); } else { signInView(); }
