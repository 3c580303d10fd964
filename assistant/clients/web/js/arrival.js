// What the address brought along: the secret of a pairing (`#pair`), or a ticket of `nestor open`
// and where to go with it (`to`).
//
// It is taken out of the address before anything else happens, so that it is in no history.

function read() {
  const [what, ...rest] = location.hash.slice(1).split("&");
  const given = new URLSearchParams(rest.join("&"));
  if (!["pair", "open"].includes(what) || !given.get("s")) return null;
  const to = given.get("to") ?? "";
  const place = what === "open" && /^(chat\/[\w-]+|devices|memory|settings|new)$/.test(to) ? `#/${to}` : "";
  history.replaceState(null, "", location.pathname + place);
  return { what, secret: given.get("s"), fingerprint: given.get("f") ?? "" };
}

/** {what, secret, fingerprint}, or null. */
export const arrival = read();
