// Light or dark, before anything is painted; so this is no module, which would come after. Without a choice the
// system's preference counts, and choosing what the system prefers is having no choice.
(() => {
  const KEY = "referrals.theme";
  const root = document.documentElement;
  const texts = JSON.parse(document.querySelector("#texts")?.textContent ?? "{}");
  const text = (/** @type {string} */ key) => texts[key];
  const system = matchMedia("(prefers-color-scheme: dark)");

  const chosen = localStorage.getItem(KEY);
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

  function describe() {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.setAttribute("aria-label", isDark() ? text("bar.light") : text("bar.dark"));
    }
    dispatchEvent(new Event("themechange"));
  }

  system.addEventListener("change", describe);
  document.addEventListener("DOMContentLoaded", () => {
    describe();
    document.addEventListener("click", (event) => {
      if (!(event.target instanceof Element) || event.target.closest("[data-theme-switch]") === null) return;
      const theme = isDark() ? "light" : "dark";
      if (theme === (system.matches ? "dark" : "light")) {
        delete root.dataset.theme;
        localStorage.removeItem(KEY);
      } else {
        root.dataset.theme = theme;
        localStorage.setItem(KEY, theme);
      }
      describe();
    });
  });
})();
