import { openRedisCache, parseRedisUrl } from '@qnsp/kms-cache';
import { describe, expect, it } from 'vitest';

describe('the URL of a Redis', () => {
  it.each([
    ['redis://h', { kind: 'single', tls: false, nodes: [{ host: 'h', port: 6379 }], database: 0 }],
    ['redis://h/3', { kind: 'single', database: 3 }],
    ['rediss://u:p%40ss@h:1', { tls: true, username: 'u', password: 'p@ss', nodes: [{ host: 'h', port: 1 }] }],
    ['redis://:secret@h', { username: undefined, password: 'secret' }],
    ['redis://[::1]:7000', { nodes: [{ host: '::1', port: 7000 }] }],
    [
      'rediss+cluster://u:p@a:7000,b',
      {
        kind: 'cluster',
        tls: true,
        username: 'u',
        nodes: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 6379 },
        ],
      },
    ],
    [
      'redis+sentinel://a,b:26380/main',
      {
        kind: 'sentinel',
        master: 'main',
        nodes: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 26_380 },
        ],
      },
    ],
  ])('%s is understood', (url, expected) => {
    expect(parseRedisUrl(url)).toMatchObject(expected);
  });

  it.each([
    'http://h',
    'redis:h',
    'redis://',
    'redis://h:port',
    'redis://h:70000',
    'redis://a,b',
    'redis://h/name',
    'redis://h?x=1',
    'redis+cluster://a/1',
    'redis+sentinel://a',
  ])('%s is refused', (url) => {
    expect(parseRedisUrl(url)).toBeUndefined();
    expect(() => openRedisCache({ url, ttlSeconds: 1, onChange: () => undefined })).toThrow(RangeError);
  });
});
