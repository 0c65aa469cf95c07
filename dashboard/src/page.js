// Keeps an open page as the fleet is: told of a change, it fetches the middle of the page anew and
// puts in what differs. Without it every page works too, and is as old as its last load.
"use strict";
(() => {
  const main = document.querySelector("main[data-polls], main:not(.login)");
  const stale = document.getElementById("stale");
  const pause = document.getElementById("pause");
  if (!main || !stale) return;
  const PATCH_MS = 250, POLL_MS = 2000, SILENT_MS = 3000;
  let paused = false, fetching = false, wanted = false, fetched = 0, heard = Date.now();

  const span = (ms) => {
    const [s, m, h] = [ms / 1e3 | 0, ms / 6e4 | 0, ms / 36e5 | 0];
    if (ms < 1000) return "now";
    if (s < 60) return `${s}s ago`;
    if (m < 60) return `${m}m ago`;
    return h < 24 ? `${h}h${m % 60 ? `${m % 60}m` : ""} ago` : `${h / 24 | 0}d ago`;
  };
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-at]")) {
      const ago = Date.now() - Number(time.dataset.at);
      if (ago >= 0) time.textContent = span(ago);
    }
    const silent = Date.now() - heard;
    stale.hidden = silent < SILENT_MS;
    if (!stale.hidden) {
      stale.textContent = `The dashboard does not answer; what is shown is ${silent / 1e3 | 0} s old.`;
    }
  };

  // What somebody is writing in stays as it is.
  const busy = (node) => node.nodeType === 1 &&
    (node.matches("details[open]") || node.contains(document.activeElement)) &&
    node.matches("form, details");
  const morph = (old, now) => {
    if (busy(old) || old.isEqualNode(now)) return;
    if (old.nodeName !== now.nodeName || old.nodeType !== 1) return old.replaceWith(now);
    for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of now.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    children(old, now);
  };
  const children = (old, now) => {
    const byId = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
    const kept = new Set([...now.children].map((c) => c.id).filter(Boolean));
    let at = old.firstChild;
    for (const next of [...now.childNodes]) {
      while (at && at.id && !kept.has(at.id)) { const gone = at; at = at.nextSibling; gone.remove(); }
      const same = next.id ? byId.get(next.id) : at && !at.id ? at : null;
      if (!same) { old.insertBefore(next, at); continue; }
      if (same === at) at = at.nextSibling; else old.insertBefore(same, at);
      morph(same, next);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  };

  const refresh = async () => {
    wanted = true;
    if (fetching || paused) return;
    fetching = true;
    while (wanted && !paused) {
      await new Promise((done) => setTimeout(done, Math.max(0, fetched + PATCH_MS - Date.now())));
      wanted = false;
      fetched = Date.now();
      try {
        const answer = await fetch(location.href, { headers: { "x-fragment": "1" } });
        if (answer.status === 401) { location.reload(); return; }
        if (!answer.ok) continue;
        const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
        children(main, parsed.body);
        heard = Date.now();
        tick();
      } catch { /* the banner says so */ }
    }
    fetching = false;
  };

  const events = new EventSource("/live");
  events.addEventListener("change", () => { heard = Date.now(); refresh(); });
  events.addEventListener("alive", () => {
    if (Date.now() - heard > SILENT_MS || document.getElementById("lost")) refresh();
    heard = Date.now();
  });
  events.addEventListener("over", () => location.reload());
  setInterval(tick, 500);
  if (main.hasAttribute("data-polls")) setInterval(refresh, POLL_MS);

  const toggle = () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "go on" : "pause";
    if (!paused) refresh();
  };
  pause.addEventListener("click", toggle);
  const palette = document.getElementById("palette"), go = palette.querySelector("input");
  const open = async () => {
    const names = await (await fetch("/names")).json();
    document.getElementById("names").replaceChildren(...names.map((name) => new Option(name, name)));
    go.value = "";
    palette.showModal();
  };
  palette.addEventListener("close", () => {
    if (go.value.startsWith("/") && !go.value.startsWith("//")) location.assign(go.value);
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "k") { event.preventDefault(); open(); return; }
    if (event.target.matches("input, select, textarea") || event.ctrlKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); document.querySelector("[name=q]")?.focus(); }
    if (event.key === "?") document.getElementById("help").showModal();
    if (event.key === "p") toggle();
  });
})();
