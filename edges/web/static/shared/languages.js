/** The ways to the page in another language: they keep the rest of the address, which markup does not know. */

export function keepAddress() {
  document.addEventListener("click", ({ target }) => {
    const way = target instanceof Element ? target.closest("a.language") : null;
    if (!(way instanceof HTMLAnchorElement)) return;
    const query = new URLSearchParams(location.search);
    query.set("language", way.hreflang);
    way.search = String(query);
    way.hash = location.hash;
  });
}
