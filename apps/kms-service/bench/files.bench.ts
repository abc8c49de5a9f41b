import type { Bench } from './bench.ts';
import { measureFiles } from './files/measure-files.ts';

const bench: Bench = {
  name: 'files',
  summary: 'What it takes to encrypt and decrypt 1 GiB under a data key, against `openssl enc -aes-256-ctr`.',
  run: (say) => measureFiles(1024, 5, say),
};

export default bench;
