// What makes pages quicker. Each of them works without it.
"use strict";
(() => {
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");

  // Put the elements of these ids in place of their older selves, and the focus where it was.
  const replace = (ids, page) => {
    const focused = document.activeElement;
    const { id, name, selectionStart: from, selectionEnd: to } = focused || {};
    for (const each of ids) {
      const [old, fresh] = [document.getElementById(each), page.getElementById(each)];
      if (old && fresh) {
        old.replaceWith(fresh);
        enhance(fresh);
      }
    }
    if (focused && focused.isConnected) return;
    const again = (id && document.getElementById(id)) || (name && document.getElementsByName(name)[0]);
    if (again) {
      again.focus();
      if (from !== null && from !== undefined && again.setSelectionRange) again.setSelectionRange(from, to);
    }
  };

  // A button's form, sent in the background, for the parts of the page that it names.
  const update = async (button) => {
    const form = button.form;
    const data = new FormData(form, button);
    form.dataset.turn = String(Number(form.dataset.turn || 0) + 1);
    const turn = form.dataset.turn;
    const ids = button.dataset.update.split(" ");
    for (const id of ids) document.getElementById(id)?.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.getAttribute("action") || location.href, {
        method: "POST",
        body: new URLSearchParams(data),
        redirect: "manual",
      });
      if (form.dataset.turn !== turn) return;
      const html = (answer.headers.get("content-type") || "").startsWith("text/html");
      if (html && (answer.ok || answer.status === 422)) replace(ids, parse(await answer.text()));
      else {
        // What cannot be shown in a part is shown as the whole page that it is.
        const pressed = Object.assign(document.createElement("input"), { type: "hidden", name: button.name, value: button.value });
        form.append(pressed);
        form.submit();
      }
    } catch {
      // Without a network the page stays as it is.
    } finally {
      for (const id of ids) document.getElementById(id)?.removeAttribute("aria-busy");
    }
  };

  const live = (part) => {
    setTimeout(async () => {
      if (!part.isConnected) return;
      if (document.hidden) return live(part);
      try {
        const answer = await fetch(location.href);
        // Who was signed out meanwhile is asked to sign in; what else fails may pass.
        if (answer.status === 401) return location.reload();
        if (!answer.ok) return live(part);
        replace([part.id, ...(part.dataset.with || "").split(" ").filter(Boolean)], parse(await answer.text()));
      } catch {
        live(part);
      }
    }, Number(part.dataset.live) * 1000);
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
    for (const part of all("[data-live]")) live(part);
    for (const button of all("button[data-on]")) {
      let waiting;
      button.form.addEventListener(button.dataset.on, (event) => {
        if (!event.target.matches("[data-trigger]")) return;
        clearTimeout(waiting);
        waiting = setTimeout(() => update(button), 250);
      });
    }
  };

  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (submitter?.dataset.update) {
      event.preventDefault();
      update(submitter);
    } else if (form.method === "post" && form.target !== "_blank") {
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = "yes";
      submitter?.setAttribute("aria-busy", "true");
    }
  });
  // A page that comes back from the browser's own memory may be sent again.
  addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent;
    for (const button of document.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
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
