// A real OpenID Connect provider for the tests: `node provider.mjs PORT`.
//
// Its clients get access tokens in the form of RFC 9068 (at+jwt) for the
// resources below, by client credentials or, with an ID token, by the code flow,
// where whoever comes is logged in as alice. POST /test/rotate makes a new key
// that signs from then on; the older ones stay in the published set.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider, errors } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;

// The audience of a resource's tokens (RFC 8707).
const audiences = {
  'https://orders.example.com': 'orders-api',
  'https://reports.example.com': 'reports-api',
};

const client = {
  client_secret: 'secret-of-a-test',
  grant_types: ['client_credentials', 'authorization_code'],
  response_types: ['code'],
  redirect_uris: ['https://app.example.com/back'],
};

let keys = [];
let provider;

// rotate makes the newest key the first: the one that signs.
function rotate() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  keys = [{ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' }, ...keys];
  provider = new Provider(issuer, {
    jwks: { keys },
    clients: ['mobile-app', 'stranger'].map((client_id) => ({ client_id, ...client })),
    cookies: { keys: [randomUUID()] },
    scopes: ['openid'],
    pkce: { required: () => false },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_, resource) {
          if (!audiences[resource]) throw new errors.InvalidTarget();
          return {
            audience: audiences[resource],
            scope: 'orders:read',
            accessTokenFormat: 'jwt',
            accessTokenTTL: 300,
            jwt: { sign: { alg: 'RS256' } },
          };
        },
        useGrantedResource: () => true,
      },
    },
    ttl: { ClientCredentials: 300, Grant: 300, IdToken: 300, Interaction: 300, Session: 300 },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    interactions: { url: (_, interaction) => `/test/login/${interaction.uid}` },
    loadExistingGrant,
  });
}

// loadExistingGrant consents to everything in alice's name.
async function loadExistingGrant(ctx) {
  const { client: asking, session, params } = ctx.oidc;
  const grant = new ctx.oidc.provider.Grant({ clientId: asking.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid');
  grant.addResourceScope(params.resource, 'orders:read');
  await grant.save();
  return grant;
}

rotate();
const server = createServer(async (request, response) => {
  if (request.url === '/test/rotate' && request.method === 'POST') {
    rotate();
    response.writeHead(204).end();
  } else if (request.url.startsWith('/test/login/')) {
    await provider.interactionFinished(request, response, { login: { accountId: 'alice' } });
  } else {
    provider.callback()(request, response);
  }
});
server.listen(port, '127.0.0.1');
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
