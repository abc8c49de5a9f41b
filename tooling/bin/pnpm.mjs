import { endLike } from '../launch/child.mjs';
import { runPackageManager } from '../launch/package-manager.mjs';

endLike(await runPackageManager(process.argv.slice(2)));
