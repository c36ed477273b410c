// Until the page's modules have opened it: takes the token out of the address at once, and says so where they do not come,
// fail, or take too long. So this is no module: it must not fail with them.
(() => {
  const KEY = "referrals.token"; // as in session.js
  const PATIENCE_MS = 20_000;

  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token !== null) {
    fragment.delete("token");
    const rest = fragment.size > 0 ? `#${fragment}` : "";
    history.replaceState(null, "", location.pathname + location.search + rest);
    sessionStorage.setItem(KEY, token.trim());
  }

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

  addEventListener("opened", () => {
    isOpened = true;
    clearTimeout(timer);
    if (!isSaid) return;
    delete document.body.dataset.state;
    document.querySelector("#failure")?.setAttribute("hidden", "");
  });
})();
