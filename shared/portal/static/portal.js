// What makes pages quicker. Each of them works without it.
"use strict";
(() => {
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");

  const mark = (element) => element?.setAttribute("aria-busy", "true");
  const unmark = (element) => element?.removeAttribute("aria-busy");
  const buttonOf = (form, value) => form.querySelector(`button[name=do][value="${value}"]:not(.default)`);
  const idsOf = (button) => button.dataset.update.split(" ");

  // Fill the parts of these ids with what they hold in a newer page; the focus stays where it was.
  // They stay the same elements, which is what lets screen readers say what is new in them.
  const replace = (ids, page) => {
    const focused = document.activeElement;
    const { id, name, value, localName, selectionStart: from, selectionEnd: to } = focused || {};
    let within = null;
    for (const each of ids) {
      const [part, fresh] = [document.getElementById(each), page.getElementById(each)];
      if (!part || !fresh) continue;
      if (!fresh.dataset.live) delete part.dataset.live;
      // What is the same is not said again.
      if (!part.children.length && part.textContent === fresh.textContent) continue;
      if (part !== focused && part.contains(focused)) within = part;
      part.replaceChildren(...fresh.childNodes);
      for (const child of part.children) enhance(child);
    }
    if (!within) return;
    const same = (e) => e.localName === localName && (localName !== "button" || (e.value === value && !e.matches(".default")));
    const again = (id && document.getElementById(id)) || (name && [...document.getElementsByName(name)].find(same));
    if (!again) within.tabIndex = -1;
    (again || within).focus({ preventScroll: true });
    if (again && from !== null && from !== undefined && again.setSelectionRange) again.setSelectionRange(from, to);
  };

  // Say in a part that there is no answer now; what was typed stays.
  const sayAway = (part) => {
    if (!part || part.querySelector(".away")) return;
    const note = document.createElement("p");
    note.className = "note warn away";
    note.setAttribute("role", "alert");
    note.textContent = document.body.dataset.away;
    part.prepend(note);
  };

  // A button's form, sent in the background, for the parts of the page that it names. Of those that
  // ask (`data-on`) the newest counts; those that change the form go one after the other, each with
  // what the one before has changed.
  const turns = new Map();
  const queues = new Map();
  const update = (button) => {
    const { form, name, value } = button;
    const { update: parts, on, then } = button.dataset;
    const ids = idsOf(button);
    const turn = (turns.get(parts) || 0) + 1;
    turns.set(parts, turn);
    ids.forEach((id) => mark(document.getElementById(id)));
    const send = async () => {
      const data = new URLSearchParams(new FormData(form));
      data.append(name, value);
      try {
        const answer = await fetch(form.getAttribute("action") || location.href, {
          method: "POST",
          body: data,
          headers: { "X-Parts": parts },
          redirect: "manual",
        });
        if (on && turns.get(parts) !== turn) return;
        const html = (answer.headers.get("content-type") || "").startsWith("text/html");
        if (html && (answer.ok || answer.status === 422)) {
          replace(ids, parse(await answer.text()));
          if (then) soon(form, then);
        } else if (answer.status === 429 || answer.status >= 500) sayAway(document.getElementById(ids[0]));
        else {
          // What cannot be shown in a part is shown as the whole page that it is.
          form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
          form.dataset.sent = "yes";
          form.submit();
        }
      } catch {
        sayAway(document.getElementById(ids[0]));
      } finally {
        if (turns.get(parts) === turn) ids.forEach((id) => unmark(document.getElementById(id)));
      }
    };
    if (on) send();
    else {
      guard(form);
      queues.set(parts, (queues.get(parts) || Promise.resolve()).then(send));
    }
  };

  // The same after a pause, if nothing else happens before that.
  const waiting = new Map();
  const soon = (form, value) => {
    const found = buttonOf(form, value);
    if (!found) return;
    idsOf(found).forEach((id) => mark(document.getElementById(id)));
    clearTimeout(waiting.get(value));
    waiting.set(value, setTimeout(() => update(buttonOf(form, value)), Number(found.dataset.wait || 250)));
  };
  // `data-trigger` names the button that a field, or all fields in an element, press when changed.
  for (const kind of ["input", "change"])
    document.addEventListener(kind, ({ target }) => {
      if (target.type !== "search") guard(target.form);
      const pressed = target.form && target.closest("[data-trigger]")?.dataset.trigger;
      if (pressed && buttonOf(target.form, pressed)?.dataset.on === kind) soon(target.form, pressed);
    });
  // `data-enter` names the one that the Enter key presses.
  document.addEventListener("keydown", (event) => {
    const within = event.key === "Enter" && !event.isComposing && event.target.matches("input") && event.target.closest("[data-enter]");
    if (!within) return;
    event.preventDefault();
    clearTimeout(waiting.get(within.dataset.enter));
    buttonOf(event.target.form, within.dataset.enter).click();
  });

  // The key / leads to the box that finds everything, unless something is being typed.
  document.addEventListener("keydown", (event) => {
    const box = document.getElementById("everywhere");
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (event.key !== "/" || typing || !box || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (menu) menu.open = true;
    box.focus();
  });

  // A part that goes on is asked for again and again; what somebody types in is left alone.
  const live = (part) => {
    setTimeout(async () => {
      if (!part.isConnected || !part.dataset.live) return;
      try {
        const answer = document.hidden ? null : await fetch(location.href);
        // Who was signed out meanwhile is asked to sign in; what else fails may pass.
        if (answer?.status === 401) return location.reload();
        if (answer?.ok) {
          const page = parse(await answer.text());
          const typed = document.activeElement?.matches("input, select, textarea") && document.activeElement;
          const ids = [part.id, ...(part.dataset.with || "").split(" ")].filter((id) => id && !document.getElementById(id)?.contains(typed || null));
          document.title = page.title;
          replace(ids, page);
        }
      } catch {
        // Without a network the page stays as it is.
      }
      live(part);
    }, Number(part.dataset.live) * 1000);
  };

  // A part that takes long is loaded once the page is there.
  const load = async (part) => {
    mark(part);
    try {
      const answer = await fetch(part.dataset.load);
      if (answer.status === 401) return location.reload();
      if (answer.ok) replace([part.id], parse(await answer.text()));
      else sayAway(part);
    } catch {
      sayAway(part);
    }
    unmark(part);
  };

  // As the server writes them: English as in Britain.
  const language = document.documentElement.lang.replace(/^en$/, "en-GB");
  const words = { dateStyle: "medium", timeStyle: "short" };
  const enhance = (root) => {
    const all = (selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
    for (const time of all("time[datetime*=T]")) {
      time.title = time.textContent;
      time.textContent = new Intl.DateTimeFormat(language, words).format(new Date(time.dateTime));
    }
    for (const button of navigator.clipboard ? all("button[data-copy]") : []) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.dataset.copy);
        const before = button.textContent;
        button.textContent = button.dataset.done;
        setTimeout(() => (button.textContent = before), 2000);
      });
    }
    all("[data-live]").forEach(live);
    all("[data-load]").forEach(load);
  };

  // A file is fetched by the script, so that it knows when it is there.
  const store = async (link) => {
    try {
      const answer = await fetch(link.href);
      if (!answer.ok) return location.assign(link.href);
      const [, name] = /filename="(.+?)"/.exec(answer.headers.get("content-disposition")) || [];
      const href = URL.createObjectURL(await answer.blob());
      Object.assign(document.createElement("a"), { href, download: name || "" }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
    } catch {
      location.assign(link.href);
    } finally {
      unmark(link);
    }
  };
  // Whatever leads on is marked until it is there; the style shows it only if that takes long.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    const plain = !event.defaultPrevented && !(event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!link || !plain || link.target || link.origin !== location.origin) return;
    if (link.hash && link.pathname + link.search === location.pathname + location.search) return;
    mark(link);
    if (!link.hasAttribute("download")) return;
    event.preventDefault();
    store(link);
  });
  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (submitter?.dataset.update) {
      event.preventDefault();
      return update(submitter);
    }
    if (form.target === "_blank") return;
    if (form.method === "post") {
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = "yes";
    }
    mark(submitter?.matches(".default") ? form.querySelector("button.main") : submitter);
  });
  // A page that comes back from the browser's own memory may be sent again.
  const settle = () => document.querySelectorAll(":is(a, button)[aria-busy]").forEach(unmark);
  addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent;
    settle();
  });
  // The browser asks before a form is left in which something was typed, unless it was sent.
  const guard = (form) => form?.matches("[data-guard]") && (form.dataset.guard = "typed");
  addEventListener("beforeunload", (event) => {
    if (!document.querySelector("form[data-guard=typed]:not([data-sent])")) return;
    event.preventDefault();
    setTimeout(settle);
  });
  // The menu is open where there is room for it.
  const wide = matchMedia("(min-width: 60rem)");
  const menu = document.querySelector("details.menu");
  const fit = () => menu && (menu.open = wide.matches);
  wide.addEventListener("change", fit);
  fit();
  enhance(document);
  document.querySelector("[data-summary]")?.focus();
})();
