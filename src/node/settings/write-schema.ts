// write-schema: writes config/schema.json anew; run it after a change of the settings.

import { readFileSync, writeFileSync } from 'node:fs';
import { jsonSchema } from '../../config/json-schema.ts';
import { parseProviders } from '../../config/providers.ts';

const folder = new URL('../../../config/', import.meta.url);

const kinds = parseProviders(readFileSync(new URL('providers.yaml', folder), 'utf8'));
writeFileSync(new URL('schema.json', folder), jsonSchema(kinds));
