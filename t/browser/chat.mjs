// Copyright (C) the ngx_rooms_module authors
// SPDX-License-Identifier: BSD-2-Clause

// Two people chat in a browser, while things go wrong.  t/65-browser.t starts
// the servers and does what is asked for by lines of "do ..."; the results are
// lines of "ok - ..." and "not ok - ...".

import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [base, other, pictures] = process.argv.slice(2);
const WAIT = Number(process.env.WAIT ?? 60000);

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => process.stdout.write(`${line}\n`);
const ok = (good, name, why = "") => say(`${good ? "ok" : "not ok"} - ${name}${good || !why ? "" : ` # ${why}`}`);
const note = (text) => say(`# ${text}`);

async function ask(what) {
    say(`do ${what}`);
    return (await answers.next()).value;
}

async function is(name, f, want = true) {
    let got;

    for (const end = Date.now() + WAIT; Date.now() < end; await new Promise((r) => setTimeout(r, 50))) {
        try { got = await f(); } catch (e) { got = e.message; }
        if (got === want) { ok(true, name); return true; }
    }

    ok(false, name, `got ${JSON.stringify(got)}`);
    return false;
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const problems = [];

async function context(options = {}) {
    const c = await browser.newContext({ viewport: { width: 1180, height: 760 }, locale: "en-GB", reducedMotion: "reduce", ...options });

    c.setDefaultTimeout(WAIT);
    c.on("page", (page) => {
        page.on("pageerror", (e) => problems.push(`${e}`));
        page.on("console", (m) => { if (m.type() === "error" && !/Failed to load resource/.test(m.text())) { problems.push(m.text()); } });
    });
    return c;
}

async function signIn(c, who, token = null) {
    const page = await c.newPage();

    await page.goto(`${base}/`);
    if (token) {
        await page.getByRole("button", { name: "Use a token instead" }).click();
        await page.getByLabel("Token").fill(token);
    } else {
        await page.getByLabel("Your name").fill(who);
    }
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForSelector("html[data-ready]", { state: "attached" });
    return page;
}

const composer = (page) => page.getByRole("textbox", { name: "Write a message" });

async function write(page, text) {
    await composer(page).fill(text);
    await composer(page).press("Enter");
}

/* What stands in the log, of messages that begin so. */
const texts = (page, prefix = "") => page.$$eval(".message .text", (all, p) => all.map((e) => e.textContent).filter((t) => t.startsWith(p)), prefix);
const same = async (page, prefix, n) => {
    const got = await texts(page, prefix);
    const want = Array.from({ length: n }, (_, i) => `${prefix}${i}`);

    return JSON.stringify(got) === JSON.stringify(want) ? true : `${got.length}: ${got.slice(0, 5)}…`;
};

async function shot(page, name) {
    if (pictures) { await page.screenshot({ path: `${pictures}/${name}.png` }); }
}

try {
    /* Two people, one room */

    const ours = await context(), theirs = await context();
    const ann = await signIn(ours, "ann");
    const bob = await signIn(theirs, "bob");

    ok((await ann.goto(`${base}/`)).headers()["content-security-policy"]?.includes("default-src 'none'"), "the page is served under a strict policy");
    await ann.waitForSelector("html[data-ready]", { state: "attached" });
    ok(true, "a page that is loaded again is still signed in");

    await ann.getByRole("button", { name: "Room", exact: true }).click();
    await ann.getByLabel("Name").fill("Engineering");
    await ann.getByLabel("What is it about?").fill("All things eng");
    await ann.getByLabel("Who can join?").selectOption("public");
    await ann.getByRole("button", { name: "Make it" }).click();
    await composer(ann).waitFor();

    await bob.getByRole("button", { name: "Browse" }).click();
    await bob.getByLabel("Search all rooms").fill("engin");
    await bob.getByRole("dialog").getByRole("listitem").filter({ hasText: "Engineering" }).getByRole("button", { name: "Join" }).click();
    await composer(bob).waitFor();
    await is("who joins is seen at once", () => ann.getByText("bob joined").count(), 1);

    await write(bob, "hello");
    await is("a message is seen in the other page", () => same2(ann, "hello"));
    await is("and once in one's own", () => same2(bob, "hello"));

    async function same2(page, text) { return (await texts(page, text)).length === 1; }

    /* Latency */

    await bob.evaluate(() => {
        const seen = window.seen = {};

        new MutationObserver(() => {
            const t = performance.timeOrigin + performance.now();

            for (const e of [...document.querySelectorAll(".message .text")].slice(-3)) { seen[e.textContent] ??= t; }
        }).observe(document.querySelector(".log"), { childList: true, subtree: true });
    });

    const sent = await ann.evaluate(async () => {
        const sent = {};

        for (let i = 0; i < 200; i++) {
            document.querySelector("#composer").value = `fast ${i}`;
            sent[`fast ${i}`] = performance.timeOrigin + performance.now();
            document.querySelector(".composer").requestSubmit();
            while (document.querySelector(".pending")) { await new Promise((r) => setTimeout(r, 5)); }
        }

        return sent;
    });

    await bob.waitForFunction(() => window.seen["fast 199"], null, { polling: 50 });

    const seen = await bob.evaluate(() => window.seen);
    const took = Object.keys(sent).map((t) => seen[t] - sent[t]).sort((a, b) => a - b);

    note(`200 messages, from send to the other page: p50 ${took[100].toFixed(1)} ms, p99 ${took[198].toFixed(1)} ms`);
    await is("200 messages: none lost, none twice, in order", () => same(bob, "fast ", 200));
    await is("in one's own page, too", () => same(ann, "fast ", 200));

    /* Unread */

    await bob.getByRole("button", { name: "Room", exact: true }).click();
    await bob.getByLabel("Name").fill("Elsewhere");
    await bob.getByRole("button", { name: "Make it" }).click();
    await bob.getByRole("heading", { name: "Elsewhere" }).waitFor();
    await write(ann, "are you there?");
    await is("a room that isn't open counts", () => bob.locator(".badge").first().textContent({ timeout: 500 }), "1 unread");
    await bob.locator(".room", { hasText: "Engineering" }).click();
    await bob.getByRole("heading", { name: "Engineering" }).waitFor();
    await is("until it is opened", () => bob.locator(".badge").count(), 0);

    /* Hostile content is text */

    const evil = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;

    await write(ann, evil);
    await is("markup is text", () => texts(bob, "<img").then((t) => t[0]), evil);
    await write(ann, "javascript:alert(1) and https://example.com/?a=1&b=<b>");
    await is("only a web address is a link", () => bob.$$eval(".message a", (all) => all.map((a) => a.href).join(" ")), "https://example.com/?a=1&b=");

    /* A picture, under a name that isn't nice */

    const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGP4z8CAB+GTG8HSALfKY52fTcuYAAAAAElFTkSuQmCC", "base64");

    await ann.locator("#file").setInputFiles({ name: `"><img src=x onerror=window.hacked=1>.png`, mimeType: "image/png", buffer: png });
    await is("a picture is shown to others", () => bob.$$eval(".picture img", (all) => all.map((i) => `${i.naturalWidth}x${i.naturalHeight}`).join()), "10x10");
    await is("by a link without a token", () => bob.$eval(".picture img", (i) => /\/v1\/media\/download\/.*signature=/.test(i.src) && !/token|mock/.test(i.src)));
    ok(!(await ann.evaluate(() => window.hacked)) && !(await bob.evaluate(() => window.hacked)), "and nothing of it ran");

    /* Reactions, deleting */

    const last = (page, text) => page.locator(".message", { hasText: text }).first();

    await last(bob, "are you there?").hover();
    await last(bob, "are you there?").getByRole("button", { name: "React" }).click();
    await bob.getByRole("menuitem", { name: "🎉" }).click();
    await is("a reaction is seen", () => last(ann, "are you there?").locator(".reaction").textContent(), "🎉1");
    await last(ann, "are you there?").hover();
    await last(ann, "are you there?").getByRole("button", { name: "Delete" }).click();
    await ann.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await is("what is deleted is gone", () => bob.getByText("This message was deleted.").count(), 1);

    /* Editing, with the mouse and with the keyboard */

    await write(bob, "an eror");
    await is("what is to be edited is seen", () => same2(ann, "an eror"));
    await last(bob, "an eror").hover();
    await last(bob, "an eror").getByRole("button", { name: "Edit" }).click();
    await bob.getByRole("dialog").getByLabel("Message").fill("an error");
    await bob.getByRole("dialog").getByRole("button", { name: "Save" }).click();
    await is("an edit is seen in the other page", () => texts(ann, "an err").then((t) => t.join()), "an error (edited)");
    ok(await last(ann, "an error").getByRole("button", { name: "Edit" }).count() === 0, "nobody edits what others said");
    await composer(bob).press("ArrowUp");
    await bob.getByRole("dialog").getByLabel("Message").fill("no error");
    await bob.keyboard.press("Tab");
    await bob.keyboard.press("Tab");
    await bob.keyboard.press("Enter");
    await is("the arrow up edits the last one", () => texts(ann, "no err").then((t) => t.join()), "no error (edited)");
    await is("in one's own page, too", () => texts(bob, "no err").then((t) => t.join()), "no error (edited)");
    await last(bob, "no error").getByRole("button", { name: "React" }).focus();
    await bob.keyboard.press("Enter");
    await bob.keyboard.press("ArrowRight");
    await bob.keyboard.press("Enter");
    await is("a reaction by the keyboard", () => last(ann, "no error").locator(".reaction").textContent(), "❤️1");
    await last(bob, "no error").locator(".reaction").click();
    await is("and it is taken back", () => last(ann, "no error").locator(".reaction").count(), 0);

    /* One stream for all tabs */

    const second = await signIn(ours, "ann");

    await second.locator(".room", { hasText: "Engineering" }).click();
    await composer(second).waitFor();
    await write(bob, "both tabs");
    await is("a second tab hears", () => same2(second, "both tabs"));
    ok(await second.evaluate(() => !performance.getEntriesByType("resource").some((e) => /v1\/sync/.test(e.name))), "over the stream of the first");
    await ann.close();
    await write(bob, "one tab");
    await is("when the first is closed, the second goes on", () => same2(second, "one tab"));

    /* NGINX is reloaded */

    const sending = (async () => { for (let i = 0; i < 30; i++) { await write(bob, `reload ${i}`); await second.waitForTimeout(40); } })();

    await ask("reload");
    await sending;
    await is("over a reload nothing is lost, nothing twice", () => same(second, "reload ", 30));
    await is("nor in one's own page", () => same(bob, "reload ", 30));

    /* The store is away */

    await ask("stop");
    for (let i = 0; i < 3; i++) { await write(bob, `away ${i}`); }
    await is("without a store the page says so", () => second.locator(".offline").isVisible());
    await ask("start");
    await is("what was written meanwhile comes", () => same(second, "away ", 3));
    await is("once", () => same(bob, "away ", 3));
    await is("and the page is well again", () => second.locator(".offline").isHidden());

    /* A laptop without a network, and a store that was restored from a backup */

    await ours.setOffline(true);
    await second.evaluate(() => window.dispatchEvent(new Event("online")));
    for (let i = 0; i < 3; i++) { await write(bob, `offline ${i}`); }
    await is("messages go out", () => same(bob, "offline ", 3));
    await ours.setOffline(false);
    await is("who was offline gets them", () => same(second, "offline ", 3));

    await ask("epoch");
    await write(bob, "restored 0");
    await is("over a store with another epoch, too", () => same(second, "restored ", 1));
    await is("with nothing twice", () => same(second, "offline ", 3));

    /* A token expires */

    const third = await context();
    const carol = await signIn(third, "carol", await ask("token Carol 3600"));

    await carol.getByRole("button", { name: "Browse" }).click();
    await carol.getByRole("dialog").getByRole("listitem").filter({ hasText: "Engineering" }).getByRole("button", { name: "Join" }).click();
    await composer(carol).waitFor();
    await carol.evaluate((token) => sessionStorage.setItem("rooms-session", token), await ask("token Carol 30"));
    await carol.reload();
    await composer(carol).waitFor();
    await carol.getByRole("dialog", { name: "Your token has expired" }).waitFor();
    ok(true, "who has an expired token is asked for another");
    for (let i = 0; i < 3; i++) { await write(bob, `expired ${i}`); }
    await carol.getByRole("dialog").getByLabel("Token").fill(await ask("token Carol 3600"));
    await carol.getByRole("button", { name: "Go on" }).click();
    await is("and has missed nothing", () => same(carol, "expired ", 3));

    /* An export */

    await bob.getByRole("button", { name: "Details" }).click();
    const [download] = await Promise.all([bob.waitForEvent("download"), bob.getByRole("button", { name: "Export as ZIP" }).click()]);
    const zip = readFileSync(await download.path());

    ok(download.suggestedFilename() === "Engineering.zip" && zip.subarray(0, 2).toString() === "PK" && zip.length > 5000, "an export is saved",
       `${download.suggestedFilename()} ${zip.length}`);
    await bob.getByRole("button", { name: "Close details" }).click();

    /* A page of another origin */

    const elsewhere = await (await context()).newPage();

    await elsewhere.goto(`${other}/blank.html`);
    const heard = await elsewhere.evaluate(async ({ base, name }) => {
        const { Rooms } = await import("./rooms.js");
        const rooms = new Rooms({ base, token: "mock:dora@acme" });
        const me = await rooms.signIn();
        const room = (await rooms.all("/v1/directory/rooms?q=engineering"))[0];
        const got = [];

        await rooms.post(`/v1/rooms/${room.id}/join`);
        rooms.addEventListener("event", (e) => got.push(e.detail.content.body));
        await rooms.follow();
        await rooms.send(room.id, { body: name });
        for (let i = 0; i < 600 && !got.includes(name); i++) { await new Promise((r) => setTimeout(r, 50)); }
        const missing = await rooms.get("/v1/rooms/room-none").catch((e) => `${e.code} ${e.status} ${Boolean(e.requestId)}`);
        const image = new Image();
        const media = (await rooms.get(`/v1/rooms/${room.id}/messages?limit=200`)).find((e) => e.content.media_id).content.media_id;

        image.src = await rooms.mediaLink(media);
        await image.decode();
        rooms.close();
        return { me: me.participant_id, got: got.filter((x) => x === name).length, missing, width: image.naturalWidth };
    }, { base, name: "from elsewhere" });

    const gaps = await elsewhere.evaluate(async ({ base }) => {
        const { Rooms } = await import("./rooms.js");
        const tabs = [new Rooms({ base, token: "mock:dora@acme" }), new Rooms({ base, token: "mock:dora@acme" })];
        const room = (await tabs[0].all("/v1/directory/rooms?q=engineering"))[0].id;
        const got = [[], []];
        const post = BroadcastChannel.prototype.postMessage;
        let drop = 0;

        for (const [i, tab] of tabs.entries()) {
            tab.addEventListener("event", (e) => got[i].push(e.detail.content.body));
            await tab.signIn();
            await tab.follow();
        }

        BroadcastChannel.prototype.postMessage = function (m) { if (m.kind === "event" && drop++ < 3) { return; } post.call(this, m); };
        for (let i = 0; i < 6; i++) { await tabs[0].send(room, { body: `gap ${i}` }); }
        for (let i = 0; i < 600 && got[1].length < 6; i++) { await new Promise((r) => setTimeout(r, 50)); }
        BroadcastChannel.prototype.postMessage = post;
        tabs.forEach((tab) => tab.close());

        const wrong = await new Rooms({ base, token: "mock:" }).signIn().catch((e) => `${e.code} ${e.isAuth}`);

        return { got: got.map((x) => x.filter((b) => b?.startsWith("gap")).join()), wrong };
    }, { base });
    const all = "gap 0,gap 1,gap 2,gap 3,gap 4,gap 5";

    ok(gaps.got[0] === all && gaps.got[1] === all, "a tab that missed something asks for it", JSON.stringify(gaps));
    ok(gaps.wrong === "SW_AUTH_INVALID_TOKEN true", "a wrong token is said to be wrong", gaps.wrong);
    ok(heard.me === "dora" && heard.got === 1, "a page of another origin sends and hears", JSON.stringify(heard));
    ok(heard.missing === "SW_ROOM_NOT_FOUND 404 true", "and can read errors", heard.missing);
    ok(heard.width === 10, "and shows pictures");
    await is("others hear it", () => same2(bob, "from elsewhere"));

    /* Invitations, direct messages, leaving */

    await bob.locator(".room", { hasText: "Elsewhere" }).click();
    await bob.getByRole("heading", { name: "Elsewhere" }).waitFor();
    await bob.getByRole("button", { name: "Details" }).click();
    await bob.getByRole("button", { name: "Invite somebody" }).click();
    await bob.getByLabel("Who?").fill("ann");
    await bob.getByRole("dialog").getByRole("button", { name: "Invite" }).click();
    await second.locator(".invite", { hasText: "Elsewhere" }).getByRole("button", { name: "Join" }).click();
    await second.getByRole("heading", { name: "Elsewhere" }).waitFor();
    ok(true, "an invitation is seen, and accepted");
    await is("who joined is among the members", () => bob.locator(".members li", { hasText: "ann" }).count(), 1);
    await bob.getByRole("button", { name: "Close details" }).click();
    await second.getByRole("button", { name: "Details" }).click();
    await second.getByRole("button", { name: "Leave the room" }).click();
    await second.getByRole("dialog").getByRole("button", { name: "Leave" }).click();
    await is("who leaves a room sees it no more", () => second.locator(".room", { hasText: "Elsewhere" }).count(), 0);
    await second.getByRole("button", { name: "Message", exact: true }).click();
    await second.getByLabel("Who?").fill("bob");
    await second.getByRole("button", { name: "Write", exact: true }).click();
    await second.getByRole("heading", { name: "bob" }).waitFor();
    await write(second, "psst");
    await bob.locator(".room", { hasText: "ann" }).click();
    await is("a direct message arrives", () => texts(bob, "psst").then((t) => t.length), 1);
    await second.getByRole("button", { name: "Message", exact: true }).click();
    await second.getByLabel("Who?").fill("nobody-at-all");
    await second.getByRole("button", { name: "Write", exact: true }).click();
    ok(/participant/.test(await second.locator(".toast.bad").textContent()), "what can't be done is said");
    await bob.locator(".room", { hasText: "Engineering" }).click();
    await bob.getByRole("heading", { name: "Engineering" }).waitFor();

    /* Who can't see, or has no mouse */

    const nameless = (page) => page.$$eval("button, input, textarea, select", (all) => all.filter((e) => e.checkVisibility()
        && !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length || e.placeholder)).length);

    ok(await nameless(bob) === 0, "every control has a name");
    ok(await bob.locator("[role=log]").count() === 1 && await bob.locator("nav[aria-label]").count() === 1
       && await bob.locator("main").count() === 1, "landmarks and the log are there");
    await bob.keyboard.press("Control+k");
    ok(await bob.evaluate(() => document.activeElement.id) === "search", "Ctrl+K searches");
    await bob.keyboard.type("else");
    await is("and finds", () => bob.locator(".room").count(), 1);
    await bob.getByLabel("Search rooms").fill("");
    await bob.keyboard.press("Alt+ArrowDown");
    await is("Alt+Down goes to the next room", () => bob.locator(".room[aria-current]").count(), 1);

    /* On a phone */

    const phone = await context({ viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
    const eve = await signIn(phone, "bob");

    ok(await eve.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than a phone");
    await eve.locator(".room", { hasText: "Engineering" }).tap();
    await composer(eve).waitFor();
    ok(!(await eve.locator(".side").isVisible()), "one thing at a time");
    await eve.getByRole("button", { name: "Back to the rooms" }).tap();
    ok(await eve.locator(".side").isVisible(), "and back");

    /* The status page */

    const status = await (await context()).newPage();

    await status.goto(`${base}/status`);
    await is("the status page shows endpoints", () => status.locator("#endpoints tr").count().then((n) => n > 5));
    await is("and the store", () => status.locator(".tile.good").first().textContent().then((t) => /up/.test(t)));

    await is("and the streams", () => status.locator(".tile", { hasText: "live streams" }).locator("b").textContent().then((n) => Number(n) >= 3));

    /* What is seldom here is shown as well */

    const more = { websocket: 4321, polls: 4322, exports: 4323, imports: 4324, outbox: 4325 };
    const names = { websocket: "WebSockets", polls: "waiting polls", exports: "exports running", imports: "imports running",
                    outbox: "waiting for other servers" };

    await status.route("**/status?format=json", async (route) => {
        const answer = await route.fetch();

        await route.fulfill({ response: answer, json: { ...await answer.json(), ...more } });
    });

    for (const [name, n] of Object.entries(more)) {
        await is(`and ${names[name]}`, () => status.locator(".tile", { hasText: names[name] }).locator("b").textContent()
            .then((t) => t === n.toLocaleString("en")));
    }

    await status.unroute("**/status?format=json");

    const total = () => status.locator("#endpoints tr", { hasText: "/send" }).locator("td").nth(2).textContent();
    const before = await total();

    await eve.locator(".room", { hasText: "Engineering" }).tap();
    await write(eve, "one more");
    await is("and lives", async () => (await total()) !== before);
    ok(/SW_/.test(await status.locator("#errors").textContent()), "with errors by code");

    await bob.getByRole("button", { name: "Server status" }).click();
    await is("in the client, too", () => bob.locator(".status tbody tr").count().then((n) => n > 5));

    /* Who is deactivated */

    const answer = await fetch(`${base}/v1/admin/participants/carol/deactivate`,
                               { method: "POST", headers: { Authorization: "Bearer mock:root@acme:admin" } });

    ok(answer.ok, "an administrator deactivates somebody", await answer.text());
    await is("who is asked to sign in, and told why", () => carol.locator(".sign-in .problem").textContent({ timeout: 500 }).then((t) => t.length > 10));

    ok(problems.length === 0, "no page has complained", problems.slice(0, 3).join(" | "));

    if (pictures) { await pose(); }

} catch (e) {
    ok(false, "the scenario goes through", e.stack.split("\n").slice(0, 6).join(" | "));
    if (problems.length) { note(problems.join(" | ")); }
}

/* Pictures: of a room in which something is going on. */
async function pose() {
    const people = { Ada: "ada", Grace: "grace", Linus: "linus", Margaret: "margaret" };
    const pages = {};

    for (const [name, id] of Object.entries(people)) { pages[name] = await signIn(await context(), id, await ask(`token ${name} 3600`)); }

    const api = (name, ...args) => pages[name].evaluate(async ([id, method, path, body]) => {
        const { Rooms } = await import("./rooms.js");
        const rooms = new Rooms({ token: `mock:${id}@acme` });

        return (await rooms.request(method, path, { body })).data;
    }, [people[name], ...args]);
    const make = async (by, name, topic, type = "public") => (await api(by, "POST", "/v1/rooms", { room_type: type, name, topic })).id;
    const launch = await make("Ada", "Launch", "Version 2 goes out on Thursday");
    const design = await make("Grace", "Design", "Shapes and colours");

    await make("Ada", "Random", "Anything else");
    for (const name of ["Grace", "Linus", "Margaret"]) { await api(name, "POST", `/v1/rooms/${launch}/join`); }
    await api("Ada", "POST", `/v1/rooms/${design}/join`);

    const dm = (await api("Margaret", "POST", "/v1/rooms/dm", { participant_id: "ada" })).id;
    const said = {};

    await api("Margaret", "POST", `/v1/rooms/${dm}/send`, { content: { body: "Do you have a minute?" } });
    await api("Grace", "POST", `/v1/rooms/${design}/send`, { content: { body: "New icons are in the folder." } });
    await api("Grace", "POST", `/v1/rooms/${design}/send`, { content: { body: "Tell me what you think" } });
    for (const [name, body] of [["Grace", "Morning! Are we still good for Thursday?"], ["Ada", "Yes. The last blocker went in an hour ago."],
                                ["Linus", "I ran the load test on it again, with ten thousand open streams."], ["Linus", "Reloads in between, nobody lost a message."],
                                ["Margaret", "And the store restart?"], ["Linus", "Same. Clients say so for a second and go on where they were."]]) {
        said[body] = (await api(name, "POST", `/v1/rooms/${launch}/send`, { content: { body } })).id;
    }

    await pages.Linus.bringToFront();
    await pages.Linus.locator(".room", { hasText: "Launch" }).click();
    await composer(pages.Linus).waitFor();

    /* drawn in the page, so that nothing has to be kept beside the test */
    const drawing = await pages.Linus.evaluate(() => {
        const c = document.createElement("canvas"), g = c.getContext("2d");

        [c.width, c.height] = [840, 300];
        g.fillStyle = "#f7f7fc"; g.fillRect(0, 0, 840, 300);
        g.font = "600 22px system-ui"; g.fillStyle = "#33334d"; g.fillText("Open streams", 36, 50);
        g.strokeStyle = "#dcdcec"; g.lineWidth = 2;
        for (let y = 90; y < 280; y += 45) { g.beginPath(); g.moveTo(36, y); g.lineTo(804, y); g.stroke(); }
        const at = (x) => 265 - 165 / (1 + Math.exp(-(x - 210) / 60)) - (x % 190 > 172 && x > 300 ? 0 : 3 * Math.sin(x / 17));
        g.beginPath(); g.moveTo(36, 265);
        for (let x = 36; x <= 804; x += 4) { g.lineTo(x, at(x)); }
        g.strokeStyle = "#5151cd"; g.lineWidth = 4; g.lineJoin = "round"; g.stroke();
        g.lineTo(804, 270); g.lineTo(36, 270); g.closePath(); g.fillStyle = "#5151cd22"; g.fill();
        return c.toDataURL("image/png").split(",")[1];
    });

    await pages.Linus.locator("#file").setInputFiles({ name: "streams.png", mimeType: "image/png", buffer: Buffer.from(drawing, "base64") });
    await pages.Linus.waitForFunction(() => document.querySelector(".picture img")?.complete);
    for (const [name, emoji] of [["Ada", "🎉"], ["Grace", "🎉"], ["Margaret", "👍"]]) {
        await api(name, "POST", `/v1/rooms/${launch}/events/${said["Same. Clients say so for a second and go on where they were."]}/reaction`, { emoji });
    }
    await api("Grace", "POST", `/v1/rooms/${launch}/send`, { content: { body: "Then I have no more excuses. Cake on Thursday!" } });

    const ada = pages.Ada;

    await ada.bringToFront();
    await ada.reload();
    await ada.waitForSelector("html[data-ready]", { state: "attached" });
    await ada.locator(".room", { hasText: "Launch" }).click();
    await composer(ada).waitFor();
    await is("the picture is there", () => ada.$$eval(".picture img", (all) => all.length === 1 && all[0].naturalWidth === 840));
    await ada.waitForTimeout(400);
    await ada.mouse.move(5, 5);
    await ada.setViewportSize({ width: 1080, height: 680 });
    await ada.waitForTimeout(200);
    await ada.evaluate(() => { const l = document.querySelector(".log"); l.scrollTop = l.scrollHeight; document.activeElement.blur(); });
    await shot(ada, "light");
    await ada.emulateMedia({ colorScheme: "dark" });
    await shot(ada, "dark");
    await ada.getByRole("button", { name: "Details" }).click();
    await ada.waitForTimeout(200);
    await shot(ada, "details");
    await ada.getByRole("button", { name: "Close details" }).click();
    await ada.emulateMedia({ colorScheme: "light" });
    await ada.getByRole("button", { name: "Room", exact: true }).click();
    await shot(ada, "dialog");
    await ada.getByRole("button", { name: "Cancel" }).click();
    await ada.getByRole("button", { name: "Server status" }).click();
    await ada.waitForTimeout(2500);
    await shot(ada, "status");

    const phone = await signIn(await context({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }), "ada", await ask("token Ada 3600"));

    await shot(phone, "phone-rooms");
    await phone.locator(".room", { hasText: "Launch" }).tap();
    await composer(phone).waitFor();
    await phone.waitForTimeout(700);
    await shot(phone, "phone-room");

    const fresh = await (await context()).newPage();

    await fresh.goto(`${base}/`);
    await fresh.waitForTimeout(300);
    await shot(fresh, "sign-in");
}

await browser.close();
say("done");
process.exit(0);
