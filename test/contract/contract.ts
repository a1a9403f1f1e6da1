// Contract: what any Mayfly answers over HTTP, whatever it runs on; one suite for every runtime.

import { afterAll, beforeAll, describe } from 'vitest';
import { certificates } from './certificates.ts';
import { faces } from './faces.ts';
import { identities } from './identities.ts';
import { keys } from './keys.ts';
import { requests } from './requests.ts';
import { routes } from './routes.ts';
import { settings } from './settings.ts';
import { tokens } from './tokens.ts';
import { transparency } from './transparency.ts';
import { type Start, World } from './world.ts';

/** Every status, body, header and order of checks of Fulcio's API, and Mayfly's differences. */
export function contract(name: string, start: Start): void {
  describe(`contract: ${name}`, () => {
    let world: World;
    beforeAll(async () => {
      world = await World.open(start);
    });
    afterAll(() => world.close());

    const the = (): World => world;
    routes(the);
    requests(the);
    tokens(the);
    keys(the);
    identities(the);
    certificates(the, start);
    settings(start);
    transparency(start);
    faces(start);
  });
}
