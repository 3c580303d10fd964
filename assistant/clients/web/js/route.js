// Where in the page we are: `#/`, `#/new`, `#/chat/<id>`, `#/memory`, `#/devices`, `#/settings`.

import { value } from "./store.js";

function read() {
  const [name, id] = location.hash.replace(/^#\/?/, "").split("/");
  return { name: name || "home", id: id ? decodeURIComponent(id) : "" };
}

/** {name, id} */
export const route = value(read());

addEventListener("hashchange", () => route.set(read()));

/** Go there; with `replace`, without a step to come back to. */
export function go(path, replace = false) {
  if (replace) {
    history.replaceState(null, "", `#${path}`);
    route.set(read());
  } else {
    location.hash = path;
  }
}
