// Values that views follow. A view that uses one is drawn again when it changes.

import { useEffect, useState } from "../vendor/preact.js";

/** A value and whoever follows it. */
export function value(initial) {
  let current = initial;
  const followers = new Set();
  return {
    get: () => current,
    set(next) {
      if (next === current) return;
      current = next;
      for (const follower of [...followers]) follower(current);
    },
    update(change) {
      this.set(change(current));
    },
    follow(follower) {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  };
}

/** The value now, for a view. */
export function use(followed) {
  const [, redraw] = useState(0);
  useEffect(() => {
    const seen = followed.get();
    const stop = followed.follow(() => redraw((n) => n + 1));
    if (followed.get() !== seen) redraw((n) => n + 1);
    return stop;
  }, [followed]);
  return followed.get();
}
