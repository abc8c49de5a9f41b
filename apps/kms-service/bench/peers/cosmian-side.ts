import { postOf } from '../load/target.ts';
import { inTurns } from './in-turns.ts';
import { BATCH_ITEMS, type Peer, type PeerSide } from './peer.ts';

/** A node of TTLV as JSON: a structure, or a value with its type. */
interface Node {
  readonly tag: string;
  readonly type?: string;
  readonly value: string | number | boolean | readonly Node[];
}

const PATH = '/kmip/2_1';
/** Of the cryptographic usage mask of KMIP 2.1, section 11.13. */
const USAGE = { sign: 1, verify: 2, encrypt: 4, decrypt: 8 } as const;

const text = (tag: string, value: string): Node => ({ tag, type: 'TextString', value });
const choice = (tag: string, value: string): Node => ({ tag, type: 'Enumeration', value });
const integer = (tag: string, value: number): Node => ({ tag, type: 'Integer', value });
const bytes = (tag: string, value: Uint8Array): Node => ({
  tag,
  type: 'ByteString',
  value: Buffer.from(value).toString('hex').toUpperCase(),
});

const createKey: Node = {
  tag: 'Create',
  value: [
    choice('ObjectType', 'SymmetricKey'),
    {
      tag: 'Attributes',
      value: [
        choice('CryptographicAlgorithm', 'AES'),
        integer('CryptographicLength', 256),
        integer('CryptographicUsageMask', USAGE.encrypt | USAGE.decrypt),
        choice('KeyFormatType', 'TransparentSymmetricKey'),
        choice('ObjectType', 'SymmetricKey'),
      ],
    },
  ],
};

/** A Cosmian KMS, by KMIP 2.1 as JSON. It has no data keys and no rotation as others have them. */
export async function cosmianSide({ address, token }: Peer, data: string): Promise<PeerSide> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const call = async (body: Node): Promise<Node> => {
    const response = await fetch(new URL(PATH, address), { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${body.tag}: ${response.status} ${answer}`);
    // What a server of KMIP answers, and read by tag.
    return JSON.parse(answer) as Node;
  };
  const plain = Buffer.from(data, 'base64');
  const key = valueIn(await call(createKey), 'UniqueIdentifier');
  const encrypt: Node = { tag: 'Encrypt', value: [text('UniqueIdentifier', key), bytes('Data', plain)] };
  const sealed = await call(encrypt);
  const decrypt: Node = {
    tag: 'Decrypt',
    value: [
      text('UniqueIdentifier', key),
      ...['Data', 'IVCounterNonce', 'AuthenticatedEncryptionTag'].map((tag) =>
        bytes(tag, Buffer.from(valueIn(sealed, tag), 'hex')),
      ),
    ],
  };
  const opened = valueIn(await call(decrypt), 'Data');
  if (!plain.equals(Buffer.from(opened, 'hex'))) throw new Error('what was encrypted does not come back');
  const version = await (await fetch(new URL('/version', address), { headers })).text();
  const post = (body: Node) => inTurns([postOf(PATH, body, token)]);
  return {
    name: `Cosmian KMS ${/\d+\.\d+\.\d+/.exec(version)?.[0] ?? 'of an unknown version'}`,
    host: address.hostname,
    port: Number(address.port),
    requests: {
      encrypt: post(encrypt),
      decrypt: post(decrypt),
      'encrypt a batch of 100': post(batchOf(encrypt)),
      'create an AES key': post(createKey),
    },
  };
}

/** A message of many operations, each of which answers by itself. */
function batchOf(operation: Node): Node {
  const item: Node = {
    tag: 'BatchItem',
    value: [choice('Operation', operation.tag), { tag: 'RequestPayload', value: operation.value }],
  };
  const header: Node = {
    tag: 'RequestHeader',
    value: [
      { tag: 'ProtocolVersion', value: [integer('ProtocolVersionMajor', 2), integer('ProtocolVersionMinor', 1)] },
      integer('BatchCount', BATCH_ITEMS),
    ],
  };
  return { tag: 'RequestMessage', value: [header, ...Array.from({ length: BATCH_ITEMS }, () => item)] };
}

/** The text of the first value of a tag, wherever it stands. */
function valueIn(node: Node, tag: string): string {
  const found = find(node, tag);
  if (typeof found?.value !== 'string') throw new Error(`there is no ${tag} in what came back`);
  return found.value;
}

function find(node: Node, tag: string): Node | undefined {
  if (node.tag === tag) return node;
  if (!Array.isArray(node.value)) return undefined;
  for (const child of node.value as readonly Node[]) {
    const found = find(child, tag);
    if (found !== undefined) return found;
  }
  return undefined;
}
