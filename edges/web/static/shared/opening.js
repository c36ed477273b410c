// Until the page's modules have opened it: takes a token, or a link's secret, out of the address at once, keeps what is
// sent before there is anybody to take it, and says so where they do not come, fail, or take too long. So this is no
// module: it must not fail with them.
(() => {
  const PATIENCE_MS = 20_000;

  const SECRETS = ["token", "link"];
  const readFragment = () => new URLSearchParams(location.hash.slice(1));

  const fragment = readFragment();
  for (const name of SECRETS) {
    const secret = fragment.get(name);
    if (secret === null) continue;
    fragment.delete(name);
    const rest = fragment.size > 0 ? `#${fragment}` : "";
    history.replaceState(null, "", location.pathname + location.search + rest);
    sessionStorage.setItem(`referrals.${name}`, secret.trim()); // for session.js
  }
  addEventListener("hashchange", () => {
    if (SECRETS.some((name) => readFragment().has(name))) location.reload(); // another link in the same tab
  });

  const texts = JSON.parse(document.querySelector("#texts")?.textContent ?? "{}");
  const text = (/** @type {string} */ key) => texts[key];

  let isOpened = false;
  let isSaid = false;

  /** @param {string} reason */
  function say(reason) {
    const place = document.querySelector("#failure");
    if (isOpened || isSaid || !(place instanceof HTMLElement)) return;
    isSaid = true;
    const title = document.createElement("h1");
    title.textContent = text("opening.title");
    const words = document.createElement("p");
    words.textContent = reason;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = text("opening.again");
    button.addEventListener("click", () => location.reload());
    const fault = document.createElement("div");
    fault.className = "failure";
    fault.setAttribute("role", "alert");
    fault.append(words, button);
    document.body.dataset.state = "failed";
    place.hidden = false;
    place.replaceChildren(title, fault);
  }

  const timer = setTimeout(() => say(text("opening.late")), PATIENCE_MS);

  addEventListener(
    "error",
    (event) => {
      const isModule = event.target instanceof HTMLScriptElement && event.target.type === "module";
      if (isModule) say(text("opening.missing"));
      else if (event.target === window) say(text("opening.broken"));
    },
    true, // what does not load tells nobody above it
  );

  /** A form that was sent too early: sent now, the browser would load the page anew, with what was typed in its address. */
  let early = /** @type {HTMLFormElement | null} */ (null);
  addEventListener("submit", (event) => {
    if (isOpened || event.defaultPrevented) return;
    event.preventDefault();
    early = /** @type {HTMLFormElement} */ (event.target);
  });

  addEventListener("opened", () => {
    isOpened = true;
    clearTimeout(timer);
    if (early?.isConnected) early.requestSubmit();
    if (!isSaid) return;
    delete document.body.dataset.state;
    document.querySelector("#failure")?.setAttribute("hidden", "");
  });
})();
