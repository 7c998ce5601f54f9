// Copyright (C) the ngx_rooms_module authors
// SPDX-License-Identifier: BSD-2-Clause

// A scenario of the client that openapi-typescript and openapi-fetch make:
// scenario.js http://127.0.0.1:PORT.  Each line that it prints is a test.

import createClient from 'openapi-fetch';
import type { components, paths } from './gen/schema';


// What the types say, which the compiler checks.

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
type Json<P extends keyof paths, M extends keyof paths[P], S extends number> =
    paths[P][M] extends { responses: infer R }
        ? S extends keyof R
            ? R[S] extends { content: { 'application/json': infer B } } ? B : never
            : never
        : never;
type Code<P extends keyof paths, M extends keyof paths[P], S extends number> =
    Json<P, M, S> extends { error: { code: infer C } } ? C : never;
type Body<P extends keyof paths, M extends keyof paths[P], T extends string> =
    paths[P][M] extends { requestBody: { content: { [K in T]: infer B } } } ? B : never;
type Query<P extends keyof paths> =
    paths[P] extends { get: { parameters: { query?: infer Q } } } ? NonNullable<Q> : never;

const types: true[] = [
    // a code is one of its status
    true satisfies Same<Code<'/v1/rooms', 'post', 413>, 'SW_PAYLOAD_TOO_LARGE'>,
    true satisfies Same<Code<'/v1/rooms', 'post', 503>, 'SW_STORE_UNAVAILABLE'>,
    true satisfies Same<Code<'/v1/rooms/{room_id}', 'get', 404>, 'SW_ROOM_NOT_FOUND' | 'SW_TENANT_NOT_FOUND'>,

    // no type of room is offered that can't be made
    true satisfies Same<Body<'/v1/rooms', 'post', 'application/json'>['room_type'], 'group' | 'public' | 'incognito'>,

    // null is a type, and not a value of an enum
    true satisfies Same<components['schemas']['Room']['scope_kind'], 'incognito' | null>,

    // what next_cursor gives, since takes
    true satisfies Same<NonNullable<Query<'/v1/sync'>['since']>,
                        Json<'/v1/sync', 'get', 200>['data']['next_cursor']>,

    // files are files
    true satisfies Same<Body<'/v1/media/upload', 'post', 'multipart/form-data'>['file'], Blob>,
];


const base = process.argv[2] ?? '';

function ok(condition: unknown, name: string): asserts condition {
    console.log(`${condition ? 'ok' : 'not ok'} - ${name}`);

    if (!condition) {
        process.exit(1);
    }
}

function client(who: string) {
    return createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer mock:${who}@clients` } });
}

function file(name: string, content: BlobPart, type: string) {
    const form = new FormData();

    form.append('file', new Blob([content], { type }), name);

    return form;
}

// What an event says in words: its content depends on its type.
function words(event: components['schemas']['Event']): string {
    switch (event.event_type) {

    case 'swp.room.create':
        return `made a ${event.content.room_type ?? '?'}`;

    case 'swp.room.member':
        return `${event.content.participant_id ?? '?'}: ${event.content.membership ?? '?'}`;

    case 'swp.room.name':
        return `called ${event.content.name ?? '?'}`;

    case 'swp.room.reaction':
        return `${event.content.action ?? '?'} ${event.content.emoji ?? '?'}`;

    case 'swp.room.message':
        return event.content.replaces ? 'an edit' : `says ${String(event.content['body'])}`;

    default:
        return event.event_type;
    }
}


ok(types.every(Boolean), 'the types are narrow');

const ann = client('ann');
const bob = client('bob');

const me = await ann.POST('/v1/auth/register');
ok(me.data?.data.participant_id === 'ann', 'registered');
ok((await bob.POST('/v1/auth/register')).response.status === 200, 'and another');

// a room, and what is said in it

const created = await ann.POST('/v1/rooms', {
    body: { room_type: 'group', name: 'Über uns', topic: null },
    params: { header: { 'Idempotency-Key': 'scenario' } },
});
ok(created.data, 'created');
const room_id = created.data.data.id;
ok(created.data.data.room_alias?.startsWith('#uber-uns:'), 'with an alias');
ok(created.response.headers.get('location') === `/v1/rooms/${room_id}`, 'and a location');

const alias = await ann.GET('/v1/rooms/{room_id}', { params: { path: { room_id: created.data.data.room_alias ?? '' } } });
ok(alias.data?.data.id === room_id, 'an alias is encoded by the client');

const refused = await ann.POST('/v1/rooms', { body: { room_type: 'group', name: '\u200b' } });
ok(refused.error?.error.code === 'SW_VALIDATION_FAILED', 'a code');
ok(refused.error.error.details?.[0]?.field === 'name', 'and what it is about');

const unseen = await bob.GET('/v1/rooms/{room_id}', { params: { path: { room_id } } });
ok(unseen.error?.error.code === 'SW_ROOM_NOT_FOUND', 'not seen by another');

const invited = await ann.POST('/v1/rooms/{room_id}/invite', {
    params: { path: { room_id } }, body: { participant_id: 'bob' },
});
ok(invited.data, 'invited');

const found = await bob.GET('/v1/directory/rooms', { params: { query: { q: 'UBER', membership: 'invite', count: 'true' } } });
ok(found.data?.data[0]?.id === room_id && found.data.meta.total === 1, 'found');

ok((await bob.POST('/v1/rooms/{room_id}/join', { params: { path: { room_id } } })).data?.data.membership === 'join',
   'joined');

const sent = await bob.POST('/v1/rooms/{room_id}/send', {
    params: { path: { room_id } }, body: { content: { body: 'hello' } },
});
ok(sent.data?.data.event_type === 'swp.room.message', 'sent');
const event_id = sent.data.data.id;

ok((await bob.POST('/v1/rooms/{room_id}/events/{event_id}/edit', {
    params: { path: { room_id, event_id } }, body: { content: { body: 'hello there' } },
})).data, 'edited');
ok((await ann.POST('/v1/rooms/{room_id}/events/{event_id}/reaction', {
    params: { path: { room_id, event_id } }, body: { emoji: '👋' },
})).data, 'answered');
ok((await ann.PUT('/v1/rooms/{room_id}/name', { params: { path: { room_id } }, body: { name: 'About' } })).data, 'renamed');

const page = await ann.GET('/v1/rooms/{room_id}/messages', {
    params: { path: { room_id }, query: { direction: 'forward', limit: 200 } },
});
ok(page.data, 'read');
const said = page.data.data.map((event) => 'unreadable' in event ? 'unreadable' : words(event));
for (const line of ['made a group', 'bob: join', 'says hello there', 'an edit', 'add 👋', 'called About']) {
    ok(said.includes(line), `read: ${line}`);
}

const news = await ann.GET('/v1/sync', { params: { query: { limit: 1 } } });
ok(news.data?.data.has_more, 'some of what is new');
const more = await ann.GET('/v1/sync', { params: { query: { since: news.data.data.next_cursor } } });
ok((more.data?.data.events.length ?? 0) > 1, 'and the rest of it');

ok((await ann.PUT('/v1/rooms/{room_id}/read', { params: { path: { room_id } }, body: { event_id } })).data?.data.advanced,
   'a read marker');

// files

const uploaded = await ann.POST('/v1/media/upload', {
    body: { file: new Blob(['a picture'], { type: 'text/plain' }) },
    bodySerializer: () => file('picture.txt', 'a picture', 'text/plain'),
});
ok(uploaded.data?.data.size === 9, 'uploaded');
const picture = await ann.GET('/v1/media/download/{media_id}', {
    params: { path: { media_id: uploaded.data.data.media_id } }, parseAs: 'blob',
});
ok(await picture.data?.text() === 'a picture', 'downloaded');

const bundle = await ann.GET('/v1/rooms/{room_id}/export', { params: { path: { room_id } }, parseAs: 'blob' });
ok(bundle.data && bundle.data.size > 100, 'exported');
const zip = bundle.data;
const again = await bob.POST('/v1/rooms/import', {
    body: { file: zip },
    bodySerializer: () => file('room.zip', zip, 'application/zip'),
});
ok(again.response.status === 201, 'imported');

// workspaces

const workspace = await ann.POST('/v1/workspaces', { body: { name: 'Team', description: 'Us' } });
ok(workspace.data?.data.role === 'owner', 'a workspace');
const workspace_id = workspace.data.data.id;
ok((await ann.PUT('/v1/rooms/{room_id}/workspace', { params: { path: { room_id } }, body: { workspace_id } })).data,
   'with a room in it');
const used = await ann.DELETE('/v1/workspaces/{workspace_id}', { params: { path: { workspace_id } } });
ok(used.error?.error.code === 'SW_WORKSPACE_IN_USE', 'is not deleted');
ok((await ann.POST('/v1/rooms/{room_id}/close', { params: { path: { room_id } } })).data?.data.state === 'closed', 'closed');
ok((await ann.DELETE('/v1/workspaces/{workspace_id}', { params: { path: { workspace_id } } })).data, 'and now it is');

const frozen = await bob.POST('/v1/rooms/{room_id}/send', { params: { path: { room_id } }, body: { content: {} } });
ok(frozen.error?.error.code === 'SW_ROOM_FROZEN', 'nothing is said any more');

console.log("done");
