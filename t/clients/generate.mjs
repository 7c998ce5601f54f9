// Copyright (C) the ngx_rooms_module authors
// SPDX-License-Identifier: BSD-2-Clause

// Makes a client with each generator: generate.mjs OPENAPI.YAML FOLDER

import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { createClient } from '@hey-api/openapi-ts';
import openapiTS, { astToString } from 'openapi-typescript';
import { generate } from 'orval';
import ts from 'typescript';

const spec = resolve(process.argv[2]);
const folder = resolve(process.argv[3]);

mkdirSync(folder, { recursive: true });

// a file is a Blob, and not a string

const blob = ts.factory.createTypeReferenceNode('Blob');

writeFileSync(`${folder}/schema.ts`, astToString(await openapiTS(pathToFileURL(spec), {
    transform: (schema) => schema.format === 'binary' ? blob : undefined,
})));

await generate({
    input: { target: spec },
    output: { target: `${folder}/orval/rooms.ts`, mode: 'split', client: 'fetch' },
}, folder);

await createClient({
    input: spec,
    output: `${folder}/heyapi`,
    plugins: ['@hey-api/client-fetch'],
    logs: { level: 'error' },
});
