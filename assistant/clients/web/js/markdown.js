// Markdown as elements, never as HTML.
//
// marked only cuts the text into tokens; each becomes an element from the list below, whose text is text.
// HTML in an answer is shown as it was written. Pictures are not loaded: one is shown as its address. So
// nothing that a model, a memory or a web page wrote can run here or call anybody.

import { Component, html } from "../vendor/preact.js";
import { lexer } from "../vendor/marked.js";
import { t } from "./words.js";

const SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", hellip: "…", mdash: "—", ndash: "–", copy: "©", euro: "€" };
const MOST_DEEP = 24;

/** A text with its markdown. Blocks that stay the same are not drawn again. */
export function Markdown({ text }) {
  let blocks;
  try {
    blocks = lexer(text, { gfm: true });
  } catch {
    return html`<p class="plain">${text}</p>`;
  }
  return html`<div class="markdown">${blocks.map((token, n) => html`<${Block} key=${n} raw=${token.raw} token=${token} />`)}</div>`;
}

class Block extends Component {
  shouldComponentUpdate(next) {
    return next.raw !== this.props.raw;
  }

  render({ token }) {
    return block(token, 0);
  }
}

const blocks = (tokens, deep) => (tokens ?? []).map((token) => block(token, deep + 1));
const inlines = (tokens, deep) => (tokens ?? []).map((token) => inline(token, deep + 1));

function block(token, deep) {
  if (deep > MOST_DEEP) return token.raw;
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "hr":
      return html`<hr />`;
    case "heading":
      return heading(token, deep);
    case "paragraph":
      return html`<p>${inlines(token.tokens, deep)}</p>`;
    case "code":
      return html`<pre tabindex="0"><code>${token.text}</code></pre>`;
    case "blockquote":
      return html`<blockquote>${blocks(token.tokens, deep)}</blockquote>`;
    case "list":
      return list(token, deep);
    case "table":
      return table(token, deep);
    case "html":
      return html`<p class="plain">${token.raw.trimEnd()}</p>`;
    default:
      return token.tokens ? inlines(token.tokens, deep) : inline(token, deep);
  }
}

function heading(token, deep) {
  // The page has its own first and second headings.
  const inner = inlines(token.tokens, deep);
  if (token.depth === 1) return html`<h3>${inner}</h3>`;
  return token.depth === 2 ? html`<h4>${inner}</h4>` : html`<h5>${inner}</h5>`;
}

function list(token, deep) {
  const items = token.items.map(
    (item) => html`<li>
      ${item.task && html`<input type="checkbox" disabled checked=${item.checked} aria-label=${item.checked ? t("done") : t("open")} />`}
      ${blocks(item.tokens.filter((one) => one.type !== "checkbox"), deep)}
    </li>`,
  );
  return token.ordered ? html`<ol start=${token.start || 1}>${items}</ol>` : html`<ul>${items}</ul>`;
}

function table(token, deep) {
  const cell = (one) => inlines(one.tokens, deep);
  return html`<div class="wide" tabindex="0" role="group" aria-label=${t("table")}><table>
    <thead><tr>${token.header.map((one) => html`<th>${cell(one)}</th>`)}</tr></thead>
    <tbody>${token.rows.map((row) => html`<tr>${row.map((one) => html`<td>${cell(one)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function inline(token, deep) {
  if (deep > MOST_DEEP) return token.raw;
  switch (token.type) {
    case "strong":
      return html`<strong>${inlines(token.tokens, deep)}</strong>`;
    case "em":
      return html`<em>${inlines(token.tokens, deep)}</em>`;
    case "del":
      return html`<del>${inlines(token.tokens, deep)}</del>`;
    case "codespan":
      return html`<code>${token.text}</code>`;
    case "br":
      return html`<br />`;
    case "link":
      return html`<${Link} href=${token.href}>${inlines(token.tokens, deep)}<//>`;
    case "image":
      return html`<${Link} href=${token.href}>${t("picture")} ${decoded(token.text)}<//>`;
    case "escape":
      return token.text;
    case "text":
      return token.tokens ? inlines(token.tokens, deep) : decoded(token.text);
    case "paragraph":
    case "list":
    case "blockquote":
    case "code":
    case "heading":
    case "table":
    case "hr":
      return block(token, deep);
    default:
      return token.raw;
  }
}

/** A link that says where it leads, and leads there only when it is followed. Others are text. */
export function Link({ href, children }) {
  const address = safe(href);
  if (!address) return html`<span>${children} <code>${href}</code></span>`;
  const shown = address.protocol === "mailto:" || address.protocol === "tel:" ? address.pathname : address.host;
  return html`<a href=${address.href} target="_blank" rel="noopener noreferrer nofollow" title=${address.href}>${children}</a
    ><span class="where"> (${shown})</span>`;
}

function safe(href) {
  try {
    const address = new URL(decoded(href));
    return SCHEMES.has(address.protocol) ? address : null;
  } catch {
    return null;
  }
}

function decoded(text) {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi, (all, tens, hex, name) => {
    if (name) return ENTITIES[name] ?? all;
    const code = tens ? Number(tens) : parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}
