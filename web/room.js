/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One open room: its messages, the box to write in, its details.
 */

import { RoomsError, uuid } from "./rooms.js";
import { ask, avatar, day, field, h, icon, iconButton, name, size, time, toast, withLinks } from "./dom.js";
import { fail, person, title } from "./app.js";

const NEAR = 80;                           /* px: as near as this counts as at the end */
const TOGETHER = 5 * 60000;                /* ms between messages of one person in one block */
const EMOJIS = ["👍", "❤️", "😂", "🎉", "👀", "🙏"];
const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const drafts = new Map();

export class RoomView {
    constructor(api, room, hooks) {
        Object.assign(this, { api, room, id: room.id, hooks });
        this.people = new Map();
        this.members = [];
        this.events = new Map();           /* by id: the shown event, and its element */
        this.pending = new Map();          /* by client_id */
        this.early = [];                   /* events that arrive while history is loading */
        this.days = new Map();
        this.queue = Promise.resolve();    /* sends one message after the other, to keep their order */
        this.loaded = false;
        this.older = null;
        this.gone = false;

        this.log = h("div", { class: "log", role: "log", "aria-label": "Messages", tabindex: 0 });
        this.log.addEventListener("scroll", () => this.scrolled());
        this.heading = h("div", { class: "grow" });
        this.latest = iconButton("down", "Go to the latest message", () => this.toEnd(true), { class: "icon-button latest", hidden: true });
        this.details = h("aside", { class: "details", "aria-label": "Details", hidden: true });
        this.box = this.composer();
        this.element = h("div", { class: "room-view" },
            h("section", { class: "talk", "aria-label": title(room) },
              h("header", { class: "bar" }, iconButton("back", "Back to the rooms", () => hooks.close(), { class: "icon-button only-phone" }),
                this.heading, iconButton("info", "Details", () => this.toggleDetails())),
              h("div", { class: "log-box" }, this.log, this.latest), this.box),
            this.details);
        this.setRoom(room);

        this.onFocus = () => this.read();
        window.addEventListener("focus", this.onFocus);
        document.addEventListener("visibilitychange", this.onFocus);
    }

    close() {
        this.gone = true;
        drafts.set(this.id, this.input.value);
        window.removeEventListener("focus", this.onFocus);
        document.removeEventListener("visibilitychange", this.onFocus);
    }

    setRoom(room) {
        this.room = room;
        this.heading.replaceChildren(h("h1", { class: "clip" }, name(title(room))),
            h("small", { class: "clip" }, room.topic ? name(room.topic) : `${room.members_count} member${room.members_count === 1 ? "" : "s"}`));
        if (!this.details.hidden) { this.showDetails(); }
    }

    nameOf(id) { return this.people.get(id)?.display_name || id; }

    /* History */

    async load() {
        const [state, past] = await Promise.all([this.api.get(`/v1/rooms/${this.id}/state`),
                                                 this.api.request("GET", `/v1/rooms/${this.id}/messages?limit=50`)]);

        if (this.gone) { return; }
        this.members = state.members;
        for (const m of state.members) { this.people.set(m.participant_id, m.participant); }
        this.setRoom(state.room);
        this.loaded = true;

        for (const event of past.data.reverse()) { this.add(event); }
        for (const event of this.early) { this.heard(event); }

        this.early = [];
        this.older = past.meta.has_more ? past.meta.next_cursor : null;
        this.draw();
        this.toEnd();
        this.read();
        if (matchMedia("(hover: hover)").matches) { this.input.focus(); }
    }

    /* Loads everything again after the server was reset. */
    async reload() {
        this.events.clear();
        this.loaded = false;
        await this.load();
    }

    async more() {
        const from = this.older;

        if (!from) { return; }
        this.older = null;

        try {
            const page = await this.api.request("GET", `/v1/rooms/${this.id}/messages?limit=50&from=${from}`);
            const height = this.log.scrollHeight - this.log.scrollTop;

            for (const event of page.data) { this.add(event); }
            this.older = page.meta.has_more ? page.meta.next_cursor : null;
            this.draw();
            this.log.scrollTop = this.log.scrollHeight - height;
        } catch (e) { this.older = from; fail(e); }
    }

    scrolled() {
        if (this.log.scrollTop < NEAR) { this.more(); }
        this.latest.hidden = this.atEnd();
        if (this.atEnd()) { this.read(); }
    }

    atEnd() { return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR; }
    toEnd(smooth = false) { this.log.scrollTo({ top: this.log.scrollHeight, behavior: smooth ? "smooth" : "instant" }); }

    /* Whether the user sees this room now. */
    reading() { return !document.hidden && document.hasFocus() && this.loaded && this.atEnd(); }

    async read() {
        const newest = [...this.events.values()].filter((e) => e.event_type === "swp.room.message")
            .reduce((a, b) => (a && a.stream_position > b.stream_position ? a : b), null);

        if (!this.reading() || !newest || newest.id === this.marked || this.gone) { return; }
        this.marked = newest.id;

        try {
            if (newest.sender_id !== this.api.me.participant_id) { await this.api.put(`/v1/rooms/${this.id}/read`, { event_id: newest.id }); }
            if (this.room.me) { this.room.me.unread_count = 0; }
            this.hooks.changed();
        } catch (e) { this.marked = null; }
    }

    /* Events */

    /* Returns whether there is something new to draw. */
    add(event) {
        const c = event.content || {};

        if (event.unreadable || this.events.has(event.id)) { return false; }

        switch (event.event_type) {
        case "swp.room.message":
            if (c.replaces) {
                const old = this.events.get(c.replaces);

                if (old && this.live) { old.content = c.content; old.edited_at = event.created_at; old.element = null; }
                return Boolean(old);
            }
            if (c.client_id) { this.pending.get(c.client_id)?.element?.remove(); this.pending.delete(c.client_id); }
            this.events.set(event.id, { ...event, element: null });
            return true;

        case "swp.room.redaction": {
            const old = this.events.get(c.event_id);

            if (old && this.live) { old.content = {}; old.redacted_at = event.created_at; old.element = null; }
            return Boolean(old);
        }

        case "swp.room.reaction": {
            const old = this.events.get(c.event_id);

            if (old && this.live) {
                const mine = event.sender_id === this.api.me.participant_id;
                const r = (old.reactions ??= []).find((x) => x.emoji === c.emoji) ?? { emoji: c.emoji, count: 0, me: false };

                if (!old.reactions.includes(r)) { old.reactions.push(r); }
                r.count += c.action === "remove" ? -1 : 1;
                if (mine) { r.me = c.action !== "remove"; }
                old.reactions = old.reactions.filter((x) => x.count > 0);
                old.element = null;
            }
            return Boolean(old);
        }

        case "swp.room.read_marker":
            return false;

        default:
            this.events.set(event.id, { ...event, element: null });
            return true;
        }
    }

    heard(event) {
        if (!this.loaded) { this.early.push(event); return; }

        const stay = this.atEnd();

        this.live = event.stream_position > (this.room.last_event_position ?? 0) || !this.early.length;
        if (event.event_type === "swp.room.member") { this.refreshMembers(); }
        if (!this.add(event)) { return; }

        this.draw();
        if (stay || event.sender_id === this.api.me.participant_id) { this.toEnd(); }
        this.latest.hidden = this.atEnd();
        this.read();
    }

    async refreshMembers() {
        try {
            this.members = await this.api.all(`/v1/rooms/${this.id}/members?limit=200`);
            for (const m of this.members) { this.people.set(m.participant_id, m.participant); }
            for (const e of this.events.values()) { e.element = null; }
            this.draw();
            if (!this.details.hidden) { this.showDetails(); }
        } catch { /* no longer a member */ }
    }

    /* Creates or moves only what has changed; the rest keeps its elements, and so its images. */
    draw() {
        const parts = [];
        let before = null;

        const all = [...[...this.events.values()].sort((a, b) => a.stream_position - b.stream_position), ...this.pending.values()];

        for (const e of all) {
            const at = day(e.created_at);
            const said = e.event_type === "swp.room.message";
            const joined = said && before?.event_type === e.event_type && before.sender_id === e.sender_id
                           && day(before.created_at) === at && Date.parse(e.created_at) - Date.parse(before.created_at) < TOGETHER;

            if (!before || day(before.created_at) !== at) { parts.push(this.days.get(at) ?? this.days.set(at, h("h2", { class: "day" }, h("span", {}, at))).get(at)); }
            if (!e.element || e.joined !== joined) {
                e.joined = joined;
                e.element = said ? this.message(e, joined) : this.note(e);
            }
            if (e.element) { parts.push(e.element); before = e; }
        }

        let there = this.log.firstChild;

        for (const part of parts) {
            if (part === there) { there = there.nextSibling; } else { this.log.insertBefore(part, there); }
        }

        while (there) { const next = there.nextSibling; there.remove(); there = next; }
    }

    note(e) {
        const c = e.content || {};
        const who = () => name(this.nameOf(e.sender_id), { class: "strong" });
        const other = () => name(this.nameOf(c.participant_id ?? (c.participant_ids ?? []).map((id) => this.nameOf(id)).join(", ")), { class: "strong" });
        let text = null;

        if (e.event_type === "swp.room.create") { text = [who(), " made the room"]; }
        if (e.event_type === "swp.room.name") { text = [who(), " called the room ", name(c.name ?? "")]; }
        if (e.event_type === "swp.room.topic") { text = c.topic ? [who(), " set the topic: ", name(c.topic)] : [who(), " removed the topic"]; }
        if (e.event_type === "swp.room.member") {
            const self = c.participant_id === e.sender_id;

            text = { join: [who(), " joined"], invite: [who(), " invited ", other()], ban: [who(), " banned ", other()],
                     leave: self ? [who(), " left"] : [who(), " removed ", other()] }[c.membership] ?? null;
        }

        return text && h("p", { class: "note", "data-event": e.id }, ...text, " · ", time(e.created_at));
    }

    message(e, joined) {
        const mine = e.sender_id === this.api.me.participant_id;
        const c = e.content || {};
        const from = c._imported_sender?.display_name || this.nameOf(e.sender_id);
        const text = typeof c.body === "string" ? c.body : "";
        const files = [c, ...(Array.isArray(c.attachments) ? c.attachments : [])].filter((f) => typeof f?.media_id === "string");
        const tools = !e.pending && !e.redacted_at && h("div", { class: "tools", role: "group", "aria-label": "Message actions" },
            iconButton("smile", "React", (ev) => this.pick(e, ev.currentTarget)),
            this.editable(e) && iconButton("pen", "Edit", () => this.edit(e)),
            (mine || this.room.me?.power_level >= 50) && iconButton("bin", "Delete", () => this.redact(e)));

        return h("article", { class: `message${joined ? " joined" : ""}${mine ? " mine" : ""}${e.pending ? " pending" : ""}${e.problem ? " failed" : ""}`,
                              "data-event": e.id ?? null, "aria-label": `${from}` },
            joined ? h("span", { class: "gutter" }, time(e.created_at)) : avatar(e.sender_id, from),
            h("div", { class: "said" },
              !joined && h("p", { class: "by" }, name(from, { class: "strong" }), " ", time(e.created_at)),
              e.redacted_at ? h("p", { class: "quiet" }, "This message was deleted.")
                            : text && h("p", { class: "text", dir: "auto" }, withLinks(text), e.edited_at && h("small", {}, " (edited)")),
              !e.redacted_at && files.map((f) => this.file(f)),
              e.problem && h("p", { class: "problem" }, `Not sent: ${e.problem} `,
                             h("button", { type: "button", class: "link", onclick: () => this.deliver(e) }, "Try again")),
              e.reactions?.length > 0 && h("div", { class: "reactions" }, e.reactions.map((r) =>
                  h("button", { type: "button", class: r.me ? "reaction me" : "reaction", "aria-pressed": String(Boolean(r.me)),
                                onclick: () => this.react(e, r.emoji, r.me) }, r.emoji, h("span", {}, String(r.count)))))),
            tools);
    }

    /* An image reserves its space before it is loaded; other files become links. */
    file(f) {
        const mime = f.mime_type, label = typeof f.name === "string" ? f.name : "file";

        if (IMAGES.includes(mime)) {
            const ratio = f.width > 0 && f.height > 0 ? [f.width, f.height] : [4, 3];
            const img = h("img", { alt: label, width: Math.min(ratio[0], 420), height: Math.round(Math.min(ratio[0], 420) * ratio[1] / ratio[0]) });
            const link = h("a", { class: "picture", target: "_blank", rel: "noopener noreferrer" }, img);
            const stay = !this.loaded || this.atEnd();
            let again = true;
            const show = () => this.api.mediaLink(f.media_id).then((url) => { img.src = url; link.href = url; }).catch(() => link.replaceWith(h("p", { class: "quiet" }, `${label} is gone`)));

            img.addEventListener("error", () => { if (again) { again = false; setTimeout(show, 1000); } });
            img.addEventListener("load", () => { if (stay) { this.toEnd(); } });
            show();
            return link;
        }

        return h("button", { type: "button", class: "file", onclick: async () => {
            try { download(await this.api.mediaLink(f.media_id, false)); } catch (e) { fail(e); }
        } }, icon("down"), h("span", { class: "clip" }, name(label)), f.size > 0 && h("small", {}, size(f.size)));
    }

    /* Actions */

    pick(e, anchor) {
        const picker = h("div", { class: "picker", role: "menu", "aria-label": "Reactions" }, EMOJIS.map((emoji) =>
            h("button", { type: "button", role: "menuitem", onclick: () => {
                shut();
                this.react(e, emoji, e.reactions?.find((r) => r.emoji === emoji)?.me);
            } }, emoji)));
        let open = true;
        const shut = () => { if (open) { open = false; picker.remove(); } };   /* removing it moves the focus away */

        anchor.parentNode.append(picker);
        picker.firstChild.focus();
        picker.addEventListener("keydown", (ev) => {
            const all = [...picker.children], at = all.indexOf(document.activeElement);

            if (ev.key === "Escape") { shut(); anchor.focus(); }
            if (ev.key === "ArrowRight") { all[(at + 1) % all.length].focus(); }
            if (ev.key === "ArrowLeft") { all[(at + all.length - 1) % all.length].focus(); }
        });
        picker.addEventListener("focusout", (ev) => { if (!picker.contains(ev.relatedTarget)) { shut(); } });
    }

    async react(e, emoji, mine) {
        try { await this.api[mine ? "del" : "post"](`/v1/rooms/${this.id}/events/${e.id}/reaction`, { emoji }); } catch (error) { fail(error); }
    }

    /* Keeps the other members of the content. */
    async edit(e) {
        const answer = await ask("Edit the message", [field("Message", h("textarea", { name: "body", rows: 4, required: true, maxlength: 20000, dir: "auto" }, e.content.body))], "Save");
        const body = answer?.body.trim();

        if (!body || body === e.content.body) { return; }
        try { await this.api.post(`/v1/rooms/${this.id}/events/${e.id}/edit`, { content: { ...e.content, body } }); } catch (error) { fail(error); }
    }

    /* The server accepts edits only of the sender's own messages of the last 24 hours. */
    editable(e) {
        return e.sender_id === this.api.me.participant_id && !e.redacted_at && typeof e.content?.body === "string" && e.content.body
               && !e.content._imported_sender && Date.now() - Date.parse(e.created_at) < 864e5;
    }

    /* Edits the newest message of the user, as the key Up does. */
    editLast() {
        const own = [...this.events.values()].filter((e) => e.event_type === "swp.room.message" && this.editable(e));

        if (own.length) { this.edit(own.reduce((a, b) => (a.stream_position > b.stream_position ? a : b))); }
    }

    async redact(e) {
        if (!await ask("Delete this message?", [h("p", {}, "Nobody can read it afterwards.")], "Delete", { danger: true })) { return; }
        try { await this.api.post(`/v1/rooms/${this.id}/events/${e.id}/redact`, {}); } catch (error) { fail(error); }
    }

    composer() {
        const grow = () => { this.input.style.height = "auto"; this.input.style.height = `${Math.min(this.input.scrollHeight, 180)}px`; };
        const file = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files", id: "file", onchange: () => { this.attach([...file.files]); file.value = ""; } });

        this.input = h("textarea", { id: "composer", rows: 1, maxlength: 20000, placeholder: "Write a message", "aria-label": "Write a message", dir: "auto",
            enterkeyhint: "send", oninput: grow, onkeydown: (e) => {
                if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.say(); }
                if (e.key === "ArrowUp" && !e.altKey && !this.input.value) { e.preventDefault(); this.editLast(); }
            }, onpaste: (e) => { if (e.clipboardData.files.length) { e.preventDefault(); this.attach([...e.clipboardData.files]); } } });
        this.input.value = drafts.get(this.id) ?? "";

        return h("form", { class: "composer", onsubmit: (e) => { e.preventDefault(); this.say(); grow(); },
            ondragover: (e) => e.preventDefault(), ondrop: (e) => { e.preventDefault(); this.attach([...e.dataTransfer.files]); } },
            iconButton("image", "Add a picture or a file", () => file.click()), file, this.input,
            h("button", { class: "icon-button primary", "aria-label": "Send", title: "Send" }, icon("send")));
    }

    say() {
        const body = this.input.value.trim();

        if (!body) { return; }
        this.input.value = "";
        this.input.style.height = "auto";
        this.put({ body });
    }

    /* Shows the message immediately, and repeats sending until the server has it. */
    put(content) {
        const key = uuid();
        const e = { event_type: "swp.room.message", sender_id: this.api.me.participant_id, created_at: new Date().toISOString(),
                    stream_position: Infinity, content: { ...content, client_id: key }, pending: true, key };

        this.pending.set(key, e);
        this.draw();
        this.toEnd();
        this.queue = this.queue.then(() => this.deliver(e));
        return this.queue;
    }

    async deliver(e) {
        e.problem = null;
        e.element = null;
        this.draw();

        for (;;) {
            try {
                const event = await this.api.send(this.id, e.content, e.key);

                this.pending.delete(e.key);
                if (!this.gone) { this.add(event); this.draw(); }
                return;

            } catch (error) {
                if (error instanceof RoomsError && error.isTransient && !this.gone) { continue; }
                if (error.name === "AbortError") { return; }
                e.problem = error.message;
                e.element = null;
                this.draw();
                return;
            }
        }
    }

    async attach(files) {
        for (const f of files) {
            try {
                const m = await this.api.upload(f);

                await this.put({ body: "", media_id: m.media_id, name: m.name, mime_type: m.mime_type, size: m.size,
                                 ...(m.width ? { width: m.width, height: m.height } : {}) });
            } catch (e) { fail(e); }
        }
    }

    /* Details */

    toggleDetails() {
        this.details.hidden = !this.details.hidden;
        if (!this.details.hidden) { this.showDetails(); this.details.querySelector("button")?.focus(); }
    }

    showDetails() {
        const { room, api } = this;
        const me = room.me ?? {};
        const dm = room.room_type === "dm";
        const path = `/v1/rooms/${this.id}`;
        const does = (what, then = () => this.hooks.refresh(this.id)) => async () => {
            try { if (await what() !== false) { await then(); } } catch (e) { fail(e); }
        };
        const mode = h("select", { onchange: does(() => api.put(`${path}/notification-mode`, { notification_mode: mode.value })) },
            [["inherit", "As everywhere"], ["all", "Everything"], ["mentions", "Mentions"], ["none", "Nothing"]].map(([v, t]) =>
                h("option", { value: v, selected: me.notification_mode === v }, t)));
        const muted = Boolean(me.muted_until && Date.parse(me.muted_until) > Date.now());
        const mute = h("select", { onchange: does(() => api.put(`${path}/mute`, mute.value === "off" ? { muted: false } : mute.value === "on" ? { muted: true } : { duration: Number(mute.value) })) },
            [["off", "Not muted"], ["3600", "For an hour"], ["28800", "For eight hours"], ["on", "Until I unmute it"]].map(([v, t]) =>
                h("option", { value: v, selected: v === (muted ? "on" : "off") }, t)));
        const button = (text, click, cls = "") => h("button", { type: "button", class: `wide ${cls}`, onclick: click }, text);

        this.details.replaceChildren(
            h("header", { class: "bar" }, h("h2", { class: "grow" }, "Details"), iconButton("close", "Close details", () => this.toggleDetails())),
            h("div", { class: "pad stack" },
              room.topic && h("p", {}, name(room.topic)),
              room.room_alias && h("p", { class: "quiet clip" }, name(room.room_alias)),
              field("Notify me of", mode), field("Mute", mute),
              !dm && me.power_level >= 50 && button("Name and topic", does(async () => {
                  const a = await ask("Name and topic", [
                      field("Name", h("input", { name: "name", value: room.name ?? "", required: true, maxlength: 128 })),
                      field("Topic", h("input", { name: "topic", value: room.topic ?? "", maxlength: 1024 }))], "Save");

                  if (!a) { return false; }
                  if (a.name !== room.name) { await api.put(`${path}/name`, { name: a.name }); }
                  if (a.topic !== (room.topic ?? "")) { await api.put(`${path}/topic`, { topic: a.topic || null }); }
              })),
              !dm && button("Invite somebody", does(async () => {
                  const who = await person("Invite somebody", "Invite");

                  if (!who) { return false; }
                  await api.post(`${path}/invite`, { participant_id: who });
                  toast(`${who} is invited`);
              }, () => this.refreshMembers())),
              room.room_type !== "incognito" && button("Export as ZIP", does(async () => { download(await api.exportLink(this.id)); }, () => {})),
              h("h3", {}, `Members (${room.members_count})`),
              h("ul", { class: "members" }, this.members.map((m) => h("li", {}, avatar(m.participant_id, m.participant.display_name),
                  h("span", { class: "grow clip" }, name(m.participant.display_name)),
                  h("small", {}, m.membership === "invite" ? "invited" : m.power_level >= 100 && !dm ? "admin" : m.power_level >= 50 && !dm ? "moderator" : "")))),
              !dm && button("Leave the room", does(async () => {
                  if (!await ask("Leave this room?", [h("p", {}, name(title(room)))], "Leave", { danger: true })) { return false; }
                  await api.post(`${path}/leave`);
              }), "danger")));
    }
}

function download(url) {
    const a = h("a", { href: url, download: "", rel: "noreferrer" });

    document.body.append(a);
    a.click();
    a.remove();
}
