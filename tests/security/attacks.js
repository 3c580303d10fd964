// What a page of another site may try. Each attack does its worst to `to` and resolves with all it could read.
//
// to = {base, token, routes: [[method, path]], body}: the worst case, for the page knows the owner's token.

const settled = (work) => Promise.allSettled(work).then((all) => all.map((one) => one.value ?? ""));
const soon = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const text = (response) => response.text().catch(() => "");
const gets = (to) => to.routes.filter(([method]) => method === "GET").map(([, path]) => to.base + path);
const changes = (to) => to.routes.filter(([method]) => method !== "GET");

/** Put an element into the page and wait until it has loaded or failed; what `read` finds in it. */
function element(tag, fields, read = () => "") {
  const one = Object.assign(document.createElement(tag), fields);
  const over = new Promise((resolve) => {
    one.onload = one.onloadedmetadata = () => resolve("");
    one.onerror = () => resolve("");
    setTimeout(() => resolve(""), 700);
  });
  document.body.append(one);
  return over.then(() => {
    let found = "";
    try {
      found = read(one) ?? "";
    } catch {
      found = "";
    }
    one.remove();
    return found;
  });
}

/** A form as a page may build one, sent to a frame or to a window of its own. */
function form(action, method, enctype, target, fields) {
  const one = Object.assign(document.createElement("form"), { action, method, enctype, target });
  for (const [name, value] of Object.entries(fields)) {
    one.append(Object.assign(document.createElement("textarea"), { name, value }));
  }
  document.body.append(one);
  one.submit();
  one.remove();
}

globalThis.attacks = {
  "fetch with the token": (to) =>
    settled(
      to.routes.map(([method, path]) =>
        fetch(to.base + path, {
          method,
          headers: { Authorization: `Bearer ${to.token}`, "Content-Type": "application/json" },
          body: method === "GET" ? undefined : to.body,
        }).then(text),
      ),
    ),
  "fetch without a preflight": (to) =>
    settled(
      to.routes.flatMap(([method, path]) =>
        ["text/plain", "application/x-www-form-urlencoded"].map((kind) =>
          fetch(`${to.base}${path}?token=${to.token}`, {
            method: method === "GET" ? "GET" : "POST", mode: "no-cors", credentials: "include",
            headers: { "Content-Type": kind }, body: method === "GET" ? undefined : to.body,
          }).then(text),
        ),
      ),
    ),
  "fetch of a blob": (to) =>
    settled(
      changes(to).map(([, path]) =>
        fetch(to.base + path, { method: "POST", mode: "no-cors", body: new Blob([to.body]) }).then(text),
      ),
    ),
  "fetch that is sent on": (to) =>
    settled(
      changes(to).flatMap(([, path]) =>
        [302, 307].map((code) =>
          fetch(`/away/${code}?to=${encodeURIComponent(to.base + path)}`, { method: "POST", mode: "no-cors", body: to.body }).then(text),
        ),
      ),
    ),
  XMLHttpRequest: (to) =>
    settled(
      to.routes.map(
        ([method, path]) =>
          new Promise((resolve) => {
            const asked = new XMLHttpRequest();
            asked.open(method, to.base + path);
            asked.setRequestHeader("Authorization", `Bearer ${to.token}`);
            asked.onloadend = () => resolve(asked.responseText);
            asked.send(method === "GET" ? null : to.body);
          }),
      ),
    ),
  beacon: async (to) => {
    for (const [, path] of changes(to)) {
      navigator.sendBeacon(to.base + path, to.body);
      try {
        navigator.sendBeacon(to.base + path, new Blob([to.body], { type: "application/json" }));
      } catch {} // some browsers refuse that themselves
    }
    await soon(500);
    return [];
  },
  form: async (to) => {
    const frame = Object.assign(document.createElement("iframe"), { name: "sink" });
    document.body.append(frame);
    const found = [];
    for (const [, path] of changes(to)) {
      for (const kind of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
        // `text/plain` makes JSON of it: {"text": "=", …}
        form(to.base + path, "POST", kind, "sink", { '{"text": "': `", "token": "${to.token}"}`, token: to.token });
        await soon(60);
      }
    }
    await soon(300);
    try {
      found.push(frame.contentDocument?.body?.innerText ?? "");
    } catch {}
    frame.remove();
    return found;
  },
  "form in a window": async (to) => {
    for (const [, path] of changes(to).slice(0, 3)) form(to.base + path, "POST", "text/plain", "_blank", { '{"text": "': '"}' });
    await soon(500);
    return [];
  },
  image: (to) =>
    settled([...gets(to), `${to.base}/icon.svg`, `${to.base}/`].map((src) => element("img", { src }, (one) => (one.naturalWidth ? "an image" : "")))),
  iframe: (to) =>
    settled(
      [...gets(to), `${to.base}/`].flatMap((src) =>
        ["", "allow-scripts", "allow-scripts allow-same-origin allow-forms"].map((sandbox) =>
          element("iframe", sandbox ? { src, sandbox } : { src }, (one) => one.contentDocument?.body?.innerText),
        ),
      ),
    ),
  "script, style and other tags": (to) =>
    settled(
      [...gets(to), `${to.base}/js/app.js`, `${to.base}/style.css`].flatMap((address) => [
        element("script", { src: address }),
        element("script", { src: address, type: "module" }),
        element("link", { rel: "stylesheet", href: address }, (one) => [...(one.sheet?.cssRules ?? [])].map((rule) => rule.cssText).join()),
        element("link", { rel: "prefetch", href: address }),
        element("object", { data: address }, (one) => one.contentDocument?.body?.innerText),
        element("embed", { src: address }),
        element("video", { src: address }),
      ]),
    ),
  WebSocket: (to) =>
    settled(
      to.routes.map(
        ([, path]) =>
          new Promise((resolve) => {
            const said = [];
            let socket;
            try {
              socket = new WebSocket(`${to.base.replace(/^http/, "ws")}${path}?token=${to.token}`, ["nestor", to.token]);
            } catch {
              return resolve("");
            }
            socket.onopen = () => said.push("it opened") && socket.send(to.body);
            socket.onmessage = ({ data }) => said.push(String(data));
            socket.onclose = () => resolve(said.join());
            setTimeout(() => resolve(said.join()), 1500);
          }),
      ),
    ),
  "event stream": (to) =>
    settled(
      gets(to).map(
        (address) =>
          new Promise((resolve) => {
            const source = new EventSource(`${address}?token=${to.token}`, { withCredentials: true });
            source.onopen = () => resolve("it opened");
            source.onerror = () => resolve("");
            setTimeout(() => resolve(""), 700);
          }).then((found) => found),
      ),
    ),
  "a worker": (to) =>
    settled(
      gets(to).map(
        (address) =>
          new Promise((resolve) => {
            const code = `onmessage = async ({ data }) => {
              let found = "";
              try { importScripts(data.address); found = "it ran"; } catch {}
              try { found += await (await fetch(data.address, { headers: { Authorization: "Bearer " + data.token } })).text(); } catch {}
              postMessage(found);
            }`;
            const worker = new Worker(URL.createObjectURL(new Blob([code])));
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = () => resolve("");
            worker.postMessage({ address, token: to.token });
            setTimeout(() => resolve(""), 1500);
          }),
      ),
    ),
  "a page without an origin": async (to) => {
    const code = `<script>
      addEventListener("message", async ({ data: to }) => {
        const found = [];
        for (const [method, path] of to.routes) {
          for (const mode of ["cors", "no-cors"]) {
            try {
              const headers = mode === "cors" ? { Authorization: "Bearer " + to.token, "Content-Type": "application/json" } : {};
              const body = method === "GET" ? undefined : to.body;
              const how = mode === "cors" ? method : method === "GET" ? "GET" : "POST";
              found.push(await (await fetch(to.base + path, { method: how, mode, headers, body })).text());
            } catch {}
          }
        }
        parent.postMessage(found, "*");
      });
    <\/script>`;
    const frame = Object.assign(document.createElement("iframe"), { sandbox: "allow-scripts", srcdoc: code });
    document.body.append(frame);
    await new Promise((resolve) => (frame.onload = resolve));
    const told = new Promise((resolve) => addEventListener("message", ({ data }) => resolve(data), { once: true }));
    frame.contentWindow.postMessage(to, "*");
    const found = await Promise.race([told, soon(15_000).then(() => [])]);
    frame.remove();
    return found;
  },
  "a window that is looked into": async (to) => {
    const found = [];
    for (const path of ["/", "/#/memory", "/api/v1/memories"]) {
      const other = open(to.base + path, "other");
      addEventListener("message", ({ data }) => found.push(JSON.stringify(data)), { once: true });
      await soon(500);
      other?.postMessage({ token: to.token, what: "pair" }, "*");
      try {
        found.push(other?.document.body.innerText ?? "");
        found.push(String(other?.name ?? "").replace("other", ""));
      } catch {}
      other?.close();
    }
    return found;
  },
};
